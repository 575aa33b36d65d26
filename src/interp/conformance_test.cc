// The 313 vectors of the public bpf_conformance project, on both policies; some through the plug-in program.
#include "interp/conformance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace skep::interp {
namespace {

std::vector<Vector> vectors() { return read_vectors(SKEP_SOURCE_DIR "/../shared/corpus/bpf_conformance/vectors.tsv"); }

class Conformance : public testing::TestWithParam<Policy> {};

TEST_P(Conformance, EveryVector) {
  const auto all = vectors();
  if (all.empty()) GTEST_SKIP() << "the vectors are not there";
  EXPECT_EQ(all.size(), 313U);
  for (const Vector& vector : all) {
    auto memory = parse_hex(vector.memory);
    auto insns = parse_hex(vector.insns);
    ASSERT_TRUE(memory && insns) << vector.name;
    const auto r0 = run_vector(*parse_insns(*insns), *memory, GetParam());
    ASSERT_TRUE(r0) << vector.name << ": " << r0.error().message;
    EXPECT_EQ(*r0, std::stoull(vector.r0, nullptr, 16)) << vector.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Conformance, testing::Values(Policy::Plain, Policy::Checked),
                         [](const auto& param) { return param.param == Policy::Plain ? "Plain" : "Checked"; });

std::string output_of(const std::string& command, int& status) {
  std::FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  if (pipe == nullptr) return text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  status = pclose(pipe);
  return text;
}

TEST(Plugin, PrintsR0) {
  const auto all = vectors();
  if (all.empty()) GTEST_SKIP() << "the vectors are not there";
  for (const std::string_view name : {"add", "ldxdw", "callx", "mem-len", "prime"}) {
    const auto vector = std::ranges::find(all, name, &Vector::name);
    ASSERT_NE(vector, all.end());
    for (const std::string_view option : {"", "--checked "}) {
      int status = -1;
      const std::string text = output_of("echo " + vector->insns + " | " SKEP_BIN_DIR "/skep-conformance " +
                                             std::string(option) + "'" + vector->memory + "'",
                                         status);
      EXPECT_EQ(status, 0) << name;
      EXPECT_EQ(std::stoull(text, nullptr, 16), std::stoull(vector->r0, nullptr, 16)) << name;
    }
  }
}

TEST(Plugin, SaysWhatIsWrong) {
  for (const std::string_view insns : {"95", "zz", "ff00000000000000", "b70000000000000095000000000000"}) {
    int status = 0;
    const std::string text =
        output_of("echo " + std::string(insns) + " | " SKEP_BIN_DIR "/skep-conformance 2>&1", status);
    EXPECT_NE(status, 0) << insns;
    EXPECT_TRUE(text.starts_with("skep-conformance: ")) << text;
  }
}

TEST(Hex, BytesAndBlanks) {
  const auto bytes = parse_hex(" 00 ff7F\n");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, (std::vector{std::byte{0}, std::byte{255}, std::byte{127}}));
  for (const std::string_view bad : {"0", "000", "0g", "-1", "0 0", "+1"}) EXPECT_FALSE(parse_hex(bad)) << bad;
}

}  // namespace
}  // namespace skep::interp
