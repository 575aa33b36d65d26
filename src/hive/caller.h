// Who calls bpf(2), and how to reach his memory and his descriptors: the calling process itself, another one on this
// machine (supervisor/), or the client at the other end of a connection (host/remote_caller.h). Links nothing but this
// folder's caller.cc.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace skep::hive {

// What of the caller's effective capabilities bpf(2) asks about. CAP_SYS_ADMIN stands for each of the others: whoever
// fills this in says so.
struct Privilege {
  bool bpf = true, perfmon = true, net_admin = true, sys_admin = true;
};

// Where a call comes from.
class Caller {
 public:
  virtual ~Caller() = default;
  // Copy from and to the caller's memory: false when the address is bad (EFAULT), never a crash.
  virtual bool copy_in(std::uint64_t address, MutableBytes to) noexcept = 0;
  virtual bool copy_out(std::uint64_t address, Bytes from) noexcept = 0;
  // The descriptor `fd` of the caller, duplicated for our inspection; invalid when it has none.
  virtual Fd descriptor(int fd) noexcept = 0;
  // The file position of `fd`, where maps keep their identity; -EBADF when there is no such descriptor, another
  // negative errno when it has no position. By way of descriptor() unless the caller knows a shorter one.
  virtual std::int64_t position(int fd) noexcept;
  // Gives the caller a close-on-exec descriptor for `object`: its number, or a negative errno.
  virtual int install(Fd object) noexcept = 0;
  // The same where the descriptor is what the command results in and the last that it does: may come with the result.
  virtual int give(Fd object) noexcept { return install(std::move(object)); }
  // Closes what install() gave, where the caller will not be told of it.
  virtual void take_back(int /*fd*/) noexcept {}
  // Closes a descriptor of the caller's: 0 or a negative errno.
  virtual int close(int fd) noexcept = 0;
  // What `path` is for the caller, who is in a directory and a mount namespace of his own: opened with O_PATH and
  // `flags` (O_DIRECTORY or 0), from the directory `from` of his (AT_FDCWD: the one he is in). Errors as openat(2) has
  // them.
  virtual Result<Fd> open_path(int from, const std::string& path, int flags) noexcept;
  virtual Privilege privilege() const noexcept = 0;
  // Whether the caller's process has the file with this inode, of so many bytes, mapped writable: not to its end, as
  // hives and clients map what users cannot.
  virtual bool maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept = 0;
  // Where he has it mapped from its beginning, likewise not to its end; 0: nowhere.
  virtual std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept = 0;
  // Whether nobody waits for the answer any more, as what takes long asks now and then.
  virtual bool has_gone() noexcept { return false; }
};

// The calling process itself. An ordinary user owns his hive: all privileges, unless a front end knows better. Memory
// is copied by system calls that report bad addresses; what lies in the calling thread's stack is copied directly.
class LocalCaller : public Caller {
 public:
  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override;
  bool copy_out(std::uint64_t address, Bytes from) noexcept override;
  Fd descriptor(int fd) noexcept override;
  std::int64_t position(int fd) noexcept override;
  int install(Fd object) noexcept override;
  void take_back(int fd) noexcept override;
  int close(int fd) noexcept override;
  Result<Fd> open_path(int from, const std::string& path, int flags) noexcept override;
  Privilege privilege() const noexcept override;
  bool maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept override;
  std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept override;
};

// Another process of the same user that we may trace (ptrace(2), PTRACE_MODE_ATTACH). Who derives from it gives
// descriptors, and knows whether the process still is the one that called.
class OtherProcess : public Caller {
 public:
  explicit OtherProcess(int thread) noexcept : thread_(thread) {}
  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override;
  bool copy_out(std::uint64_t address, Bytes from) noexcept override;
  Fd descriptor(int fd) noexcept override;
  int close(int fd) noexcept override;
  Result<Fd> open_path(int from, const std::string& path, int flags) noexcept override;
  Privilege privilege() const noexcept override;
  bool maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept override;
  std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept override;

 private:
  Fd folder(const char* name) const noexcept;

  const int thread_;
  Fd handle_;  // pidfd_open(2), when it is first needed
};

}  // namespace skep::hive
