#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/thread_status.h"
#include "hive/caller.h"
#include "spec/commands.h"
#include "wire/channel.h"

namespace skep::supervisor {
namespace {

constexpr unsigned kThreads = 8;  // calls that may be under way at once; a test run may take long

wire::Identity identity_of(std::uint32_t thread) noexcept {
  const ThreadStatus status = thread_status(thread);
  wire::Identity found{.pid_tgid = std::uint64_t{status.process} << 32 | thread,
                       .uid_gid = std::uint64_t{status.gid} << 32 | status.uid,
                       .comm = {},
                       .cpu = wire::Identity::kAnyCpu,
                       .reserved = 0};
  std::memcpy(found.comm, status.name, sizeof found.comm);
  return found;
}

// A thread that waits for its answer. Its number may be another's once it was killed: what was read counts only if it
// still waits afterwards, and nothing is written to one that does not.
class Waiting final : public hive::OtherProcess {
 public:
  Waiting(int listener, const seccomp_notif& call) noexcept
      : OtherProcess(static_cast<int>(call.pid)), listener_(listener), call_(call.id) {}

  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override {
    return OtherProcess::copy_in(address, to) && waits();
  }
  bool copy_out(std::uint64_t address, Bytes from) noexcept override {
    return waits() && OtherProcess::copy_out(address, from);
  }
  Fd descriptor(int fd) noexcept override {
    Fd copy = OtherProcess::descriptor(fd);
    return waits() ? std::move(copy) : Fd();
  }
  int install(Fd object) noexcept override {
    seccomp_notif_addfd add{.id = call_,
                            .flags = 0,
                            .srcfd = static_cast<std::uint32_t>(object.get()),
                            .newfd = 0,
                            .newfd_flags = O_CLOEXEC};
    const int number = ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    return number < 0 ? -errno : number;
  }

 private:
  bool waits() const noexcept { return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &call_) == 0; }

  const int listener_;
  const std::uint64_t call_;
};

long answer(wire::Client& client, int listener, const seccomp_notif& call) noexcept {
  const auto command = static_cast<int>(call.data.args[0]);
  const bool runs = command == static_cast<int>(spec::Command::ProgTestRun);
  const wire::Identity who = runs ? identity_of(call.pid) : wire::Identity{};
  Waiting caller(listener, call);
  return client.call(caller, command, call.data.args[1], static_cast<std::uint32_t>(call.data.args[2]), &who);
}

}  // namespace

void Supervisor::start() {
  for (unsigned i = 0; i < kThreads; ++i) std::thread([this] { answer_calls(); }).detach();
}

void Supervisor::answer_calls() noexcept {
  for (;;) {
    seccomp_notif call{};
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
      if (errno == EINTR || (errno == ENOENT && is_needed())) continue;  // ENOENT: it was killed before we got it
      return;
    }
    const long result = answer(client_, listener_.get(), call);
    seccomp_notif_resp response{.id = call.id,
                                .val = result < 0 ? 0 : result,
                                .error = result < 0 ? static_cast<std::int32_t>(result) : 0,
                                .flags = 0};
    ::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);  // fails where nobody waits any more
  }
}

bool Supervisor::is_needed() const noexcept {
  pollfd asked{.fd = listener_.get(), .events = 0, .revents = 0};
  return ::poll(&asked, 1, 0) == 0 || (asked.revents & POLLHUP) == 0;
}

void Supervisor::wait() const noexcept {
  pollfd asked{.fd = listener_.get(), .events = 0, .revents = 0};
  while ((asked.revents & POLLHUP) == 0)
    if (::poll(&asked, 1, -1) < 0 && errno != EINTR) return;
}

}  // namespace skep::supervisor
