// skep exec: runs another program with its bpf(2) on a hive: by preloading libskep-preload.so, and for what that does
// not reach by a supervisor (supervisor/tree.h). The hive has a process of its own: one with a name, that of the
// `skep exec` around this one, or one made for the command.
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "base/user.h"
#include "cli/command.h"
#include "cli/hive_options.h"
#include "host/start.h"
#include "supervisor/tree.h"
#include "wire/overlay.h"
#include "wire/place.h"

namespace skep::cli {
namespace {

namespace fs = std::filesystem;

struct Request {
  std::string hive;  // a name; empty: the one around, or a new one
  HiveOptions options;
  bool as_root = false, as_user = false;  // neither: as the table of tools has it
  std::string overlay;                    // empty: auto, or as around
  std::vector<std::string> command;
};

// Where the library is: SKEP_PRELOAD, the build tree, or where `make install` puts it.
std::optional<fs::path> preload_library() {
  if (const char* named = std::getenv("SKEP_PRELOAD")) return fs::path(named);
  std::error_code error;
  const fs::path prefix = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  for (const char* place : {"lib/libskep-preload.so", SKEP_LIBDIR "/skep/libskep-preload.so"})
    if (fs::exists(prefix / place, error)) return prefix / place;
  return std::nullopt;
}

// The file that execvp would run; empty when there is none.
fs::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  const std::string_view places = path ? path : "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t at = 0; at <= places.size();) {
    const std::size_t end = std::min(places.find(':', at), places.size());
    const fs::path file = fs::path(places.substr(at, end - at)) / name;
    if (::access(file.c_str(), X_OK) == 0) return file;
    at = end + 1;
  }
  return {};
}

// Whether `file` is a program that starts without the dynamic linker. Scripts are not: their interpreter counts.
bool statically_linked(const fs::path& file) {
  const Fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header;
  if (!fd || ::pread(fd.get(), &header, sizeof header, 0) != sizeof header) return false;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const auto at = static_cast<off_t>(header.e_phoff + i * sizeof segment);
    if (::pread(fd.get(), &segment, sizeof segment, at) != sizeof segment) return false;
    if (segment.p_type == PT_INTERP) return false;
  }
  return true;
}

// Whether a preloaded library does not reach `file`.
bool takes_no_library(const fs::path& file) {
  struct stat status{};
  const bool changes_user = ::stat(file.c_str(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0;
  return (changes_user && effective_user() != 0) || statically_linked(file);
}

bool asks_for_root(const fs::path& file) {
  static constexpr const char* kTools[] = {
#define TOOL(name) name,
#include "cli/root_tools.def"
#undef TOOL
  };
  return std::ranges::any_of(kTools,
                             [&](const char* tool) { return ::fnmatch(tool, file.filename().c_str(), 0) == 0; });
}

bool is_there(const std::string& path) { return wire::connect_to(path).has_value(); }

// The socket of the hive that the command will be on, whose host listens.
Result<std::string> find_hive(const Request& request) {
  if (!request.hive.empty()) {
    TRY(std::string path, wire::socket_path(request.hive));
    if (is_there(path)) return path;
    Result<std::string> started = host::start({.name = request.hive, .options = request.options.options()});
    if (!started && started.error().code == EADDRINUSE) return path;  // somebody else was quicker
    return started;
  }
  const char* around = std::getenv(wire::kHiveVariable);
  if (around != nullptr && is_there(around)) return around;
  return host::start(
      {.name = fmt::format("exec-{}", ::getpid()), .options = request.options.options(), .for_command = true});
}

// Where the command finds the overlay's files; what is around counts where nothing is said.
supervisor::Overlay overlay_of(const Request& request) {
  using supervisor::Overlay;
  if (request.overlay.empty() && std::getenv(wire::kNoOverlayVariable) != nullptr) return Overlay::None;
  if (request.overlay == "mounts") return Overlay::Mounts;
  if (request.overlay == "library") return Overlay::Library;
  return request.overlay == "none" ? Overlay::None : Overlay::Auto;
}

// As the command ended: by its code, or its signal.
Exit end_as(int status) {
  if (WIFEXITED(status)) return static_cast<Exit>(WEXITSTATUS(status));
  const rlimit no_core{};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::signal(WTERMSIG(status), SIG_DFL);
  ::raise(WTERMSIG(status));
  return static_cast<Exit>(128 + WTERMSIG(status));
}

Exit run(const Request& request) {
  const std::string& name = request.command.front();
  const fs::path file = find_program(name);
  if (file.empty()) return report({Exit::Input, fmt::format("{}: there is no such program in PATH", name)});
  if (::access(file.c_str(), X_OK) != 0)
    return report({Exit::Input, fmt::format("{}: cannot be run: {}", file.string(), std::strerror(errno))});
  const auto library = preload_library();
  if (!library)
    return report({Exit::Unavailable,
                   "libskep-preload.so is neither beside this program (../lib) nor where it is installed; "
                   "name it with SKEP_PRELOAD=FILE"});

  const Result<std::string> hive = find_hive(request);
  if (!hive) return report({Exit::Unavailable, hive.error().message});

  const char* others = std::getenv("LD_PRELOAD");
  const std::string preload = others && *others ? fmt::format("{}:{}", library->string(), others) : library->string();
  ::setenv("LD_PRELOAD", preload.c_str(), 1);
  ::setenv(wire::kHiveVariable, hive->c_str(), 1);
  const supervisor::Overlay overlay = overlay_of(request);
  if (overlay == supervisor::Overlay::None)
    ::setenv(wire::kNoOverlayVariable, "1", 1);
  else
    ::unsetenv(wire::kNoOverlayVariable);
  const bool alone = takes_no_library(file);
  const bool as_root = request.as_root || (!request.as_user && asks_for_root(file));
  const Result<int> status = supervisor::run({.file = file,
                                              .arguments = request.command,
                                              .hive = *hive,
                                              .needs_filter = alone,
                                              .as = as_root ? supervisor::As::Root : supervisor::As::User,
                                              .overlay = overlay});
  if (!status) {
    return report({alone ? Exit::Unavailable : Exit::Input,
                   fmt::format("{}: cannot be run: {}", file.string(), status.error().message)});
  }
  return end_as(*status);
}

}  // namespace

void declare_exec(Program& program) {
  CLI::App* command = program.app.add_subcommand("exec", "Run an unmodified program with its bpf(2) on a hive");
  auto request = std::make_shared<Request>();
  command->add_option("--hive", request->hive, "the hive to be on, started when it is not there; see skep hive")
      ->type_name("NAME");
  CLI::Option* root = command->add_flag("--root", request->as_root, "tell the program that root runs it");
  command
      ->add_flag("--no-root", request->as_user, "do not, even if it is a tool that asks (bpftrace, bcc's, xdp-tools)")
      ->excludes(root);
  CLI::Option* overlay =
      command
          ->add_option("--overlay", request->overlay,
                       "how the hive's files of /proc and /sys come before the machine's: auto, by mounts of the "
                       "command's own, by the library only, or none")
          ->check(CLI::IsMember({"auto", "mounts", "library", "none"}))
          ->type_name("WAY");
  command->add_flag_callback(
             "--no-overlay", [request] { request->overlay = "none"; }, "--overlay none")
      ->excludes(overlay);
  add_hive_options(*command, request->options);
  command->add_option("PROGRAM", request->command, "program and its arguments, behind --")->required();
  command->positionals_at_end();
  command->footer(
      "All that the program starts is on the same hive, and a skep exec in there too. What reaches bpf(2) through\n"
      "libc's syscall(), as libbpf does, is fast; statically linked programs and raw system calls are answered from\n"
      "outside. Without --hive the hive ends with the command and whatever still uses its objects. Options of the\n"
      "hive count where it is started. The exit code is the program's. --root only changes what the program is told "
      "of\n"
      "its user and capabilities: tools go on that would give up, the kernel goes on refusing what it refuses.");
  command->callback([&program, request] { program.chosen = [request] { return run(*request); }; });
}

}  // namespace skep::cli
