// A thread that waits in a system call for the supervisor's answer: its call, and its process as a Caller.
//
// Its number may be another's once it was killed: what was read counts only if it still waits afterwards, and nothing
// is written to one that does not.
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "hive/caller.h"

namespace skep::supervisor {

class Waiting final : public hive::OtherProcess {
 public:
  Waiting(int listener, const seccomp_notif& call) noexcept
      : OtherProcess(static_cast<int>(call.pid)), listener_(listener), call_(call) {}

  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override;
  bool copy_out(std::uint64_t address, Bytes from) noexcept override;
  Fd descriptor(int fd) noexcept override;
  int install(Fd object) noexcept override { return install(std::move(object), O_CLOEXEC); }
  int install(Fd object, int flags) noexcept;  // O_CLOEXEC or 0

  std::uint32_t thread() const noexcept { return call_.pid; }
  int number() const noexcept { return call_.data.nr; }
  std::uint64_t argument(unsigned i) const noexcept { return call_.data.args[i]; }
  int word(unsigned i) const noexcept { return static_cast<int>(call_.data.args[i]); }  // an argument of type int
  bool waits() const noexcept;
  bool has_gone() noexcept override { return !waits(); }

  // Whether what /proc says of a descriptor begins so: a look without a copy of it.
  bool says(int fd, std::string_view name) const noexcept;
  // Whether it may be a hive's map or perf event.
  bool may_be_memory(int fd) const noexcept { return says(fd, "/memfd:bpf-"); }

  // Ends the wait with a result or a negative errno; by the kernel's own. Nothing happens where nobody waits any more.
  void answer(long result) const noexcept { respond(result, 0); }
  void pass_on() const noexcept { respond(0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }

 private:
  void respond(long result, std::uint32_t flags) const noexcept;

  const int listener_;
  const seccomp_notif call_;
};

// A value of the caller's; nothing where its address is bad.
template <class T>
std::optional<T> read(hive::Caller& caller, std::uint64_t address) noexcept {
  T value{};
  if (!caller.copy_in(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
  return value;
}

}  // namespace skep::supervisor
