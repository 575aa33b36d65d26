// build/bin/skep, run from a test.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace skep::tool {

struct Result {
  int code = -1;  // exit code; negative: died by that signal
  std::string out, err;
};

inline std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline std::string source(const std::string& path) { return std::string(SKEP_SOURCE_DIR "/") + path; }

// A folder that is gone after the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "skep-tool-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

// `arguments` as a shell would take them; `prefix` is what runs the tool ("unshare -m ").
inline Result run(const std::string& arguments, const std::string& prefix = "") {
  const Folder folder;
  const std::string command = "timeout 120 " + prefix + SKEP_BIN_DIR "/skep " + arguments + " >" + (folder / "out") +
                              " 2>" + (folder / "err") + " </dev/null";
  const int status = std::system(command.c_str());
  Result result;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  result.out = contents(folder / "out");
  result.err = contents(folder / "err");
  return result;
}

}  // namespace skep::tool
