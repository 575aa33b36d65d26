#include "loader/compile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/fd.h"
#include "loader/vmlinux.h"

extern char** environ;

namespace skep::loader {
namespace {

// Where Debian keeps <asm/...> of the machine skep was built for.
constexpr const char* kMachineHeaders =
#if defined(__x86_64__)
    "/usr/include/x86_64-linux-gnu";
#elif defined(__aarch64__)
    "/usr/include/aarch64-linux-gnu";
#else
    "/usr/include";
#endif

std::string compiler() {
  const char* chosen = std::getenv("SKEP_CLANG");
  return chosen && *chosen ? chosen : "clang-19";
}

// Everything that can be read from `fd`, from its start.
std::vector<std::byte> contents(const Fd& fd) {
  const off_t size = ::lseek(fd.get(), 0, SEEK_END);
  std::vector<std::byte> bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
  const ssize_t got = ::pread(fd.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

struct Finished {
  int status = 0;
  std::string messages;  // what it wrote to stderr
};

// Runs a program to its end, with stdout at `output`.
Result<Finished> run(const std::vector<std::string>& words, const Fd& output) {
  const Fd errors(::memfd_create("skep-clang-stderr", MFD_CLOEXEC));
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, errors.get(), 2);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(error, fmt::format("{}: {}; compiling C takes clang (Debian: apt-get install clang-19), or name one in "
                                   "SKEP_CLANG",
                                   words[0], std::strerror(error)));
  }
  Finished finished;
  while (::waitpid(child, &finished.status, 0) < 0 && errno == EINTR) {
  }
  const std::vector<std::byte> text = contents(errors);
  finished.messages.assign(reinterpret_cast<const char*>(text.data()), text.size());
  return finished;
}

std::vector<std::string> command(const std::string& source, const CompileOptions& options) {
  std::vector<std::string> words = {compiler(), "-target", "bpf", "-mcpu=" + options.cpu, "-g", "-O2"};
  words.emplace_back(options.colour ? "-fcolor-diagnostics" : "-fno-color-diagnostics");
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  words.insert(words.end(), {"-idirafter", kMachineHeaders, "-c", source, "-o", "-"});
  return words;
}

Result<std::vector<std::byte>> finish(const std::string& source, const Finished& finished, const Fd& object) {
  if (WIFEXITED(finished.status) && WEXITSTATUS(finished.status) == 0) {
    if (!finished.messages.empty()) ::fputs(finished.messages.c_str(), stderr);  // warnings
    return contents(object);
  }
  std::string messages = finished.messages;
  while (messages.ends_with('\n')) messages.pop_back();
  return fail(EINVAL, fmt::format("{}: does not compile:\n{}", source, messages));
}

}  // namespace

Result<std::vector<std::byte>> compile(const std::string& source, const CompileOptions& options) {
  if (::access(source.c_str(), R_OK) != 0) return fail(errno, fmt::format("{}: {}", source, std::strerror(errno)));
  Fd object(::memfd_create("skep-object", MFD_CLOEXEC));
  std::vector<std::string> words = command(source, options);
  TRY(Finished finished, run(words, object));
  if (finished.messages.find("'vmlinux.h' file not found") != std::string::npos) {
    TRY(const std::string folder, vmlinux_folder());
    words.insert(words.begin() + 1, {"-idirafter", folder});
    object = Fd(::memfd_create("skep-object", MFD_CLOEXEC));
    TRY(finished, run(words, object));
  }
  return finish(source, finished, object);
}

}  // namespace skep::loader
