// /tmp/perf-PID.map: a line for each function, which perf reads for code that is in no file. Nothing is ever taken
// back: of several lines for an address the last counts.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/user.h"
#include "jit/tools.h"

namespace skep::jit {
namespace {

// Nobody else's file, nor what a link leads to: /tmp is everybody's.
Fd open_map() noexcept {
  const std::string path = fmt::format("/tmp/perf-{}.map", ::getpid());
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  struct stat status{};
  if (fd && (::fstat(fd.get(), &status) != 0 || status.st_uid != effective_user() || !S_ISREG(status.st_mode)))
    fd.reset();
  return fd;
}

}  // namespace

void tell_perf_map(const Portrait& portrait) {
  const Fd fd = open_map();
  if (!fd) return;
  std::string lines;
  for (const Portrait::Function& function : portrait.functions)
    lines += fmt::format("{:x} {:x} {}\n", portrait.address(function.offset), function.bytes, function.symbol);
  // In one piece, behind what other threads write.
  [[maybe_unused]] const ssize_t written = ::write(fd.get(), lines.data(), lines.size());
}

}  // namespace skep::jit
