#include "host/gzip.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>

namespace skep::host {
namespace {

// What gzip(1) makes of it.
std::string unpacked(const std::string& packed) {
  const std::string path = ::testing::TempDir() + "skep_gzip_test.gz";
  {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
    std::fwrite(packed.data(), 1, packed.size(), file.get());
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(("gzip -dc " + path).c_str(), "r"), ::pclose);
  std::string text;
  for (int c = 0; (c = std::fgetc(pipe.get())) != EOF;) text += static_cast<char>(c);
  std::remove(path.c_str());
  return text;
}

TEST(Gzip, IsReadByOthers) {
  for (const std::string& text : {std::string("CONFIG_BPF=y\n"), std::string(), std::string(kMostGzip, 'x')})
    EXPECT_EQ(unpacked(gzip(text)), text);
}

}  // namespace
}  // namespace skep::host
