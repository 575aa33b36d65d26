#include "host/start.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "base/raw_syscall.h"
#include "host/host.h"
#include "host/overlay.h"
#include "wire/place.h"

namespace skep::host {
namespace {

// What a host says when it can answer, with code 0, or why it never will.
struct Report {
  int code = 0;
  std::array<char, 512> text{};
};

void tell(int pipe, int code, std::string_view text) noexcept {
  Report report{.code = code, .text = {}};
  text.copy(report.text.data(), report.text.size() - 1);
  [[maybe_unused]] const ssize_t told = ::write(pipe, &report, sizeof report);
}

// Ends `host` on the signals that ask a process to end. Before any other thread is made: all inherit the mask.
void end_on_signals(Host& host) {
  static sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  std::thread([&host] {
    int signal = 0;
    if (::sigwait(&signals, &signal) == 0) host.stop();
  }).detach();
}

// Closes everything but the standard descriptors and `kept`.
void close_others(std::vector<int> kept) noexcept {
  std::ranges::sort(kept);
  unsigned from = STDERR_FILENO + 1;
  for (const int fd : kept) {
    if (fd < static_cast<int>(from)) continue;
    if (static_cast<unsigned>(fd) > from) raw_syscall(SYS_close_range, from, fd - 1, 0);
    from = static_cast<unsigned>(fd) + 1;
  }
  raw_syscall(SYS_close_range, from, ~0U, 0);
}

void leave_terminal() noexcept {
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  if (null > STDERR_FILENO) ::close(null);
}

// The host that sits there, with what lies beside its socket.
Result<std::unique_ptr<Host>> make_host(const wire::Seat& seat, hive::Options options) {
  options.bpffs = seat.bpffs();
  TRY_VOID(write_overlay(seat.overlay(), options));
  return Host::create(std::move(options));
}

// The host's process, from here to its end. Nothing of it is undone by destructors: sessions may be in a program.
[[noreturn]] void be_host(wire::Seat& seat, const Background& background, int command, int report) {
  leave_terminal();
  close_others({seat.listener(), seat.lock(), command, report});
  ::prctl(PR_SET_NAME, "skep-hive");
  // It is no user of the hive around it (Host::is_forgotten reads environments).
  if (char* around = std::getenv(wire::kHiveVariable)) std::memset(around, '-', std::strlen(around));
  if (!background.for_command && ::chdir("/") != 0) ::_exit(1);
  Result<std::unique_ptr<Host>> host = make_host(seat, background.options);
  if (!host) {
    tell(report, host.error().code, host.error().message);
    seat.leave();
    ::_exit(1);
  }
  end_on_signals(**host);
  tell(report, 0, "");
  ::close(report);
  const Host::Command its_command{command, seat.path()};
  (*host)->run(seat.listener(), background.for_command ? &its_command : nullptr);
  seat.leave();
  ::_exit(0);
}

}  // namespace

Result<std::string> start(const Background& background) {
  TRY(wire::Seat seat, wire::Seat::take(background.name));
  const Fd command(background.for_command ? static_cast<int>(raw_syscall(SYS_pidfd_open, ::getpid(), 0)) : -1);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno, "no pipe to a host");
  const Fd reads(ends[0]);
  Fd writes(ends[1]);
  const pid_t middle = ::fork();  // so that the host is nobody's child here, and no command waits for it by mistake
  if (middle < 0) return fail(errno, std::string("no process for a host: ") + std::strerror(errno));
  if (middle == 0) {
    if (::fork() == 0) be_host(seat, background, command.get(), writes.get());
    ::_exit(0);
  }
  ::waitpid(middle, nullptr, 0);
  writes.reset();
  std::string path = seat.path();
  seat.hand_over();
  Report report;
  const ssize_t got = ::read(reads.get(), &report, sizeof report);
  if (got != sizeof report) return fail(ECHILD, "the process of the hive ended before it could answer");
  if (report.code != 0) return fail(report.code, report.text.data());
  return path;
}

Result<> serve(const std::string& name, hive::Options options) {
  TRY(wire::Seat seat, wire::Seat::take(name));
  TRY(const std::unique_ptr<Host> host, make_host(seat, std::move(options)));
  end_on_signals(*host);
  host->run(seat.listener());
  seat.leave();
  ::_exit(0);
}

}  // namespace skep::host
