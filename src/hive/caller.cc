#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/sanitized.h"
#include "base/thread_status.h"
#include "hive/caller.h"

namespace skep::hive {
namespace {

// The part of this thread's stack that its callers occupy: mapped and writable without doubt, from the current frame
// to the end. Attributes, keys and values mostly lie there, and a direct copy saves a system call.
struct StackEnd {
  std::uintptr_t address = 0;
  StackEnd() noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
    void* low = nullptr;
    std::size_t size = 0;
    if (::pthread_attr_getstack(&attributes, &low, &size) == 0) {
      lowest = reinterpret_cast<std::uintptr_t>(low);
      address = lowest + size;
    }
    ::pthread_attr_destroy(&attributes);
  }
  std::uintptr_t lowest = 0;
};

bool in_callers_stack([[maybe_unused]] std::uint64_t address, [[maybe_unused]] std::size_t size) noexcept {
#if !SKEP_SANITIZED  // a sanitizer has its own opinion about the caller's variables
  thread_local const StackEnd end;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (here < end.lowest || here >= end.address) return false;  // a stack of the program's own
  return address >= here && address < end.address && size <= end.address - address;
#else
  return false;
#endif
}

using Transfer = ssize_t (*)(pid_t, const iovec*, unsigned long, const iovec*, unsigned long, unsigned long);

bool transfer(Transfer how, pid_t process, std::byte* ours, std::uint64_t address, std::size_t size) noexcept {
  while (size > 0) {
    const iovec local{ours, size};
    const iovec remote{reinterpret_cast<void*>(address), size};
    const ssize_t done = how(process, &local, 1, &remote, 1, 0);
    if (done <= 0) return false;
    ours += done;
    address += static_cast<std::size_t>(done);
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

constexpr const char* kOwnMaps = "/proc/self/maps";

struct MapsPath {
  char text[32];
  explicit MapsPath(int thread) noexcept { std::snprintf(text, sizeof text, "/proc/%d/maps", thread); }
};

struct MappedPart {
  std::uint64_t address = 0, offset = 0, bytes = 0;
  bool writable = false;
};

// The first part of the file with this inode that a /proc/PID/maps shows mapped, not to the file's end, and `wanted`.
template <class Wanted>
std::optional<MappedPart> find_mapped(const char* maps, std::uint64_t inode, std::uint64_t bytes,
                                      Wanted wanted) noexcept {
  std::FILE* file = std::fopen(maps, "re");
  if (file == nullptr) return std::nullopt;
  std::optional<MappedPart> found;
  char line[512];
  while (!found && std::fgets(line, sizeof line, file) != nullptr) {
    unsigned long long start = 0, end = 0, offset = 0, number = 0;
    char access[5] = {};
    if (std::sscanf(line, "%llx-%llx %4s %llx %*x:%*x %llu", &start, &end, access, &offset, &number) != 5) continue;
    const MappedPart part{start, offset, end - start, access[1] == 'w'};
    if (number == inode && part.offset + part.bytes != bytes && wanted(part)) found = part;
  }
  std::fclose(file);
  return found;
}

bool is_writable(const MappedPart& part) noexcept { return part.writable; }
bool is_first(const MappedPart& part) noexcept { return part.offset == 0; }

bool says_writable(const char* maps, std::uint64_t inode, std::uint64_t bytes) noexcept {
  return find_mapped(maps, inode, bytes, is_writable).has_value();
}

std::uint64_t says_where(const char* maps, std::uint64_t inode, std::uint64_t bytes) noexcept {
  return find_mapped(maps, inode, bytes, is_first).value_or(MappedPart{}).address;
}

Result<Fd> opened(int fd, const std::string& path) noexcept {
  if (fd < 0) return fail(errno, path + ": " + std::strerror(errno));
  return Fd(fd);
}

// Before Linux 6.9 only first threads have one.
int open_handle(pid_t thread) noexcept {
  constexpr unsigned kThread = O_EXCL;  // PIDFD_THREAD
  const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, thread, kThread));
  return handle >= 0 ? handle
                     : static_cast<int>(
                           ::syscall(SYS_pidfd_open, thread_status(static_cast<std::uint32_t>(thread)).process, 0));
}

}  // namespace

std::int64_t Caller::position(int fd) noexcept {
  const Fd copy = descriptor(fd);
  if (!copy) return -EBADF;
  const off_t at = ::lseek(copy.get(), 0, SEEK_CUR);
  return at < 0 ? -errno : at;
}

// One who has no files.
Result<Fd> Caller::open_path(int, const std::string& path, int) noexcept { return fail(ENOENT, path); }

bool LocalCaller::copy_in(std::uint64_t address, MutableBytes to) noexcept {
  if (!in_callers_stack(address, to.size()))
    return transfer(::process_vm_readv, ::getpid(), to.data(), address, to.size());
  std::memcpy(to.data(), reinterpret_cast<const void*>(address), to.size());
  return true;
}

bool LocalCaller::copy_out(std::uint64_t address, Bytes from) noexcept {
  if (!in_callers_stack(address, from.size()))
    return transfer(::process_vm_writev, ::getpid(), const_cast<std::byte*>(from.data()), address, from.size());
  std::memcpy(reinterpret_cast<void*>(address), from.data(), from.size());
  return true;
}

Fd LocalCaller::descriptor(int fd) noexcept { return Fd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

std::int64_t LocalCaller::position(int fd) noexcept {
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  return at < 0 ? -errno : at;
}

int LocalCaller::install(Fd object) noexcept { return object.release(); }
Result<Fd> LocalCaller::open_path(int from, const std::string& path, int flags) noexcept {
  return opened(::openat(from, path.c_str(), O_PATH | O_CLOEXEC | flags), path);
}
void LocalCaller::take_back(int fd) noexcept { ::close(fd); }
int LocalCaller::close(int fd) noexcept { return ::close(fd) == 0 ? 0 : -errno; }
Privilege LocalCaller::privilege() const noexcept { return {}; }

bool LocalCaller::maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept {
  return says_writable(kOwnMaps, inode, bytes);
}

std::uint64_t LocalCaller::mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept {
  return says_where(kOwnMaps, inode, bytes);
}

bool OtherProcess::copy_in(std::uint64_t address, MutableBytes to) noexcept {
  return transfer(::process_vm_readv, thread_, to.data(), address, to.size());
}

bool OtherProcess::copy_out(std::uint64_t address, Bytes from) noexcept {
  return transfer(::process_vm_writev, thread_, const_cast<std::byte*>(from.data()), address, from.size());
}

Fd OtherProcess::descriptor(int fd) noexcept {
  if (!handle_) handle_ = Fd(open_handle(thread_));
  return Fd(handle_ ? static_cast<int>(::syscall(SYS_pidfd_getfd, handle_.get(), fd, 0)) : -1);
}

// Nobody can.
int OtherProcess::close(int) noexcept { return -EOPNOTSUPP; }

Fd OtherProcess::folder(const char* name) const noexcept {
  char link[32];
  std::snprintf(link, sizeof link, "/proc/%d/%s", thread_, name);
  return Fd(::open(link, O_PATH | O_CLOEXEC));
}

Result<Fd> OtherProcess::open_path(int from, const std::string& path, int flags) noexcept {
  const bool is_absolute = path.starts_with('/');
  const Fd start = is_absolute ? folder("root") : from == AT_FDCWD ? folder("cwd") : descriptor(from);
  open_how how{};
  how.flags = static_cast<std::uint64_t>(O_PATH | O_CLOEXEC | flags);
  how.resolve = is_absolute ? RESOLVE_IN_ROOT : 0;
  return opened(static_cast<int>(::syscall(SYS_openat2, start.get(), path.c_str(), &how, sizeof how)), path);
}

Privilege OtherProcess::privilege() const noexcept { return {}; }

bool OtherProcess::maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept {
  return says_writable(MapsPath(thread_).text, inode, bytes);
}

std::uint64_t OtherProcess::mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept {
  return says_where(MapsPath(thread_).text, inode, bytes);
}

}  // namespace skep::hive
