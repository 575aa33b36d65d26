#include "hive/bpffs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "hive/bpffs_path.h"

namespace skep::hive {
namespace {

constexpr mode_t kPinMode = 0600;

std::unexpected<Error> failed(int code, const std::string& path) {
  return fail(code, path + ": " + std::strerror(code));
}

bool same(const struct stat& a, const struct stat& b) noexcept { return a.st_ino == b.st_ino && a.st_dev == b.st_dev; }

}  // namespace

Bpffs::~Bpffs() {
  if (maker_ == 0 || maker_ != ::getpid()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Result<int> Bpffs::root() {
  const std::scoped_lock lock(mutex_);
  if (root_) return root_.get();
  if (folder_.empty()) {
    const char* named = std::getenv("TMPDIR");
    std::string made = std::string(named != nullptr && *named == '/' ? named : "/tmp") + "/skep-bpffs-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) return failed(errno, made);
    folder_ = std::move(made);
    maker_ = ::getpid();
  }
  root_.reset(::open(folder_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_) return failed(errno, folder_);
  return root_.get();
}

Result<std::string> Bpffs::folder() {
  TRY_VOID(root());
  return folder_;
}

bool Bpffs::is_root(int file) {
  const Result<int> ours = root();
  struct stat top{};
  struct stat here{};
  return ours && ::fstat(*ours, &top) == 0 && ::fstat(file, &here) == 0 && same(top, here);
}

Result<Fd> Bpffs::open(Caller& caller, int from, const std::string& path, int flags) {
  const BpffsPath ours(path.c_str());
  if (!ours.is_beneath()) return caller.open_path(from, path, flags);
  if (ours.has_dot()) return failed(EPERM, path);
  TRY(const int root_fd, root());
  Fd found(::openat(root_fd, ours.is_root() ? "." : ours.rest(), O_PATH | O_CLOEXEC | flags));
  if (!found) return failed(errno, path);
  return found;
}

// Whether a directory is the root or beneath: upwards until it is met.
Result<bool> Bpffs::holds(int directory) {
  TRY(const int root_fd, root());
  struct stat top{};
  struct stat here{};
  if (::fstat(root_fd, &top) != 0 || ::fstat(directory, &here) != 0) return false;
  Fd at;
  while (here.st_dev == top.st_dev && !same(here, top)) {
    const struct stat below = here;
    at.reset(::openat(at ? at.get() : directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!at || ::fstat(at.get(), &here) != 0 || same(here, below)) return false;
  }
  return same(here, top);
}

Result<Fd> Bpffs::find(Caller& caller, int from, const std::string& path) {
  if (path.empty()) return failed(ENOENT, path);
  return open(caller, from, path, 0);
}

Result<Bpffs::Name> Bpffs::name(Caller& caller, int from, const std::string& path) {
  if (path.empty()) return failed(ENOENT, path);
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return failed(EEXIST, path);
  const std::size_t slash = path.find_last_of('/', end);
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  const std::string parent = begin == 0 ? "." : path.substr(0, begin);
  std::string last = path.substr(begin, end + 1 - begin);
  TRY(Fd directory, open(caller, from, parent, O_DIRECTORY));
  if (last == "." || last == "..") return failed(EEXIST, path);
  return Name{.directory = std::move(directory), .last = std::move(last), .asks_for_folder = end + 1 < path.size()};
}

Result<Fd> Bpffs::make(const Name& name) {
  TRY(const bool is_ours, holds(name.directory.get()));
  if (is_ours && name.last.find('.') != std::string::npos) return failed(EPERM, name.last);
  struct stat there{};
  if (::fstatat(name.directory.get(), name.last.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0)
    return failed(EEXIST, name.last);
  if (errno != ENOENT) return failed(errno, name.last);
  if (name.asks_for_folder) return failed(ENOENT, name.last);
  struct statvfs system{};
  if (!is_ours && ::fstatvfs(name.directory.get(), &system) == 0 && (system.f_flag & ST_RDONLY) != 0)
    return failed(EROFS, name.last);
  if (!is_ours) return fail(EPERM, name.last + " would not be in the hive's file system of pins, /sys/fs/bpf");
  constexpr int kNew = O_CREAT | O_EXCL | O_RDONLY | O_NOFOLLOW | O_CLOEXEC;
  Fd made(::openat(name.directory.get(), name.last.c_str(), kNew, kPinMode));
  if (!made) return failed(errno, name.last);
  return made;
}

}  // namespace skep::hive
