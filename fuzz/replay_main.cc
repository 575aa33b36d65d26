// Runs a fuzz target over the files it is given, and over every file of the directories it is given, in the order of
// their names: the corpus as a regression test, without libFuzzer. Also reads an empty input, so that a target without
// a corpus is run too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs(int argc, char** argv) {
  std::vector<fs::path> found;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    if (fs::is_directory(argv[i], error)) {
      for (const fs::directory_entry& entry : fs::directory_iterator(argv[i], error)) {
        if (entry.is_regular_file(error)) found.push_back(entry.path());
      }
    } else if (fs::exists(argv[i], error)) {
      found.emplace_back(argv[i]);
    }
  }
  std::ranges::sort(found);
  return found;
}

// The input lies in an allocation of exactly its size, so that AddressSanitizer sees a read past its end.
void replay(const std::vector<char>& bytes) {
  auto exact = std::make_unique<std::uint8_t[]>(bytes.size());
  std::ranges::copy(bytes, exact.get());
  LLVMFuzzerTestOneInput(exact.get(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  replay({});
  const std::vector<fs::path> files = inputs(argc, argv);
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "replay: cannot read %s\n", path.c_str());
      return 1;
    }
    std::printf("replay: %s\n", path.c_str());  // the last line names the input of a crash
    std::fflush(stdout);
    replay({std::istreambuf_iterator<char>(file), {}});
  }
  std::printf("replay: %zu files\n", files.size());
  return 0;
}
