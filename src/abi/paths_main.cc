// The preload library's part for the hive's file system of pins: paths beneath /sys/fs/bpf are those of the hive's
// folder.
//
// The pins of a hive are files in a real folder (hive/bpffs.h), so that opendir, mkdir, rename, glob or a shell's cd
// are the machine's own: all that is done here is to put the folder's name in the place of /sys/fs/bpf, and to say what
// only a bpf file system says: its magic number, its place among the mounts, what its files answer to open(2), which
// kind of object a descriptor is. Everything else goes on to libc. What is relative to a descriptor or to the current
// directory needs nothing, once that is the folder.
//
// Nothing runs before the first call, and a path that has no "bpf" in it costs a look at its text. Nothing allocates
// where libc's function does not. Tested by: tests/exec, tests/host.
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <mntent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "abi/fdinfo.h"
#include "abi/kallsyms.h"
#include "abi/next.h"
#include "base/fd.h"
#include "base/raw_syscall.h"
#include "hive/bpffs_path.h"
#include "hive/descriptor.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "wire/overlay.h"
#include "wire/place.h"

namespace skep::abi {
namespace {

using hive::BpffsPath;
using hive::kBpffsMount;
using hive::kMostPath;
using Visit = __nftw_func_t;

constexpr long kBpffsMagic = 0xcafe4a11;

// What libc's functions return when they fail.
template <class Result>
Result failed(int error) noexcept {
  errno = error;
  if constexpr (std::is_pointer_v<Result>) {
    return nullptr;
  } else {
    return -1;
  }
}

// What is called `name` beside the hive's socket, as the environment says; false where there is no hive.
bool beside_socket(const char* name, char (&to)[kMostPath]) noexcept {
  const char* socket = std::getenv(wire::kHiveVariable);
  const char* slash = socket != nullptr ? std::strrchr(socket, '/') : nullptr;
  if (slash == nullptr) return false;
  const int folder = static_cast<int>(slash - socket);
  return std::snprintf(to, sizeof to, "%.*s/%s", folder, socket, name) < static_cast<int>(sizeof to);
}

// The folder of the hive's pins.
bool folder_of_hive(char (&to)[kMostPath]) noexcept { return beside_socket(wire::kBpffsFolder, to); }

bool has_overlay() noexcept {
  return std::getenv(wire::kHiveVariable) != nullptr && std::getenv(wire::kNoOverlayVariable) == nullptr;
}

// The hive's file where a program looks for one of the machine's (wire/overlay.h); false where it has none of its own.
bool overlay_file(const char* path, char (&to)[kMostPath]) noexcept {
  const wire::OverlayFile* file = wire::overlay_of(path);
  if (file == nullptr || !has_overlay()) return false;
  char name[64];
  std::snprintf(name, sizeof name, "%s/%s", wire::kOverlayFolder, file->name);
  if (!beside_socket(name, to)) return false;
  return raw_syscall(SYS_faccessat, AT_FDCWD, static_cast<long>(reinterpret_cast<std::uintptr_t>(to)), F_OK) == 0;
}

// A path of the program's, and what it is on the machine.
class Real {
 public:
  explicit Real(const char* path) noexcept : given_(path), ours_(path) {
    is_overlaid_ = overlay_file(path, path_);
    char folder[kMostPath];
    if (!ours_.is_beneath() || !folder_of_hive(folder)) return;
    is_beneath_ = true;
    const int size = std::snprintf(path_, sizeof path_, "%s/%s", folder, ours_.rest());
    error_ = size >= static_cast<int>(sizeof path_) ? ENAMETOOLONG : ours_.has_dot() ? EPERM : 0;
  }
  const char* path() const noexcept { return is_beneath_ || is_overlaid_ ? path_ : given_; }
  bool is_overlaid() const noexcept { return is_overlaid_; }
  bool is_beneath() const noexcept { return is_beneath_; }
  bool is_root() const noexcept { return is_beneath_ && ours_.is_root(); }
  int error() const noexcept { return error_; }

 private:
  const char* given_;
  BpffsPath ours_;
  bool is_beneath_ = false, is_overlaid_ = false;
  int error_ = 0;
  char path_[kMostPath];
};

// Why a file cannot be moved or linked to; 0 when it can.
int move_error(const Real& from, const Real& to) noexcept {
  if (from.error() != 0 || to.error() != 0) return from.error() != 0 ? from.error() : to.error();
  if (from.is_root() || to.is_root()) return EBUSY;
  return from.is_beneath() != to.is_beneath() ? EXDEV : 0;
}
// ---- where a descriptor is

bool name_of(int fd, char (&to)[kMostPath]) noexcept {
  char link[32];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long size = raw_syscall(SYS_readlinkat, AT_FDCWD, static_cast<long>(reinterpret_cast<std::uintptr_t>(link)),
                                static_cast<long>(reinterpret_cast<std::uintptr_t>(to)), sizeof to - 1);
  to[std::max(size, 0L)] = '\0';
  return size > 0;
}

long raw_open(int from, const char* path, int flags) noexcept {
  return raw_syscall(SYS_openat, from, static_cast<long>(reinterpret_cast<std::uintptr_t>(path)), flags | O_CLOEXEC);
}

// The part behind the hive's folder in `name`, which has no symbolic link in it; null when it is elsewhere.
const char* behind_folder(const char* name) noexcept {
  char folder[kMostPath];
  if (std::strstr(name, wire::kBpffsFolder) == nullptr || !folder_of_hive(folder)) return nullptr;
  const Fd root(static_cast<int>(raw_open(AT_FDCWD, folder, O_PATH | O_DIRECTORY)));
  if (!root || !name_of(root.get(), folder)) return nullptr;
  const std::size_t size = std::strlen(folder);
  if (std::strncmp(name, folder, size) != 0 || (name[size] != '\0' && name[size] != '/')) return nullptr;
  return name + size;
}

bool is_in_bpffs(int fd) noexcept {
  char name[kMostPath];
  return name_of(fd, name) && behind_folder(name) != nullptr;
}

// A name that libc gave is one beneath /sys/fs/bpf again: in its place, as that is shorter.
char* shown(char* name) noexcept {
  const char* behind = name != nullptr ? behind_folder(name) : nullptr;
  if (behind == nullptr || static_cast<std::size_t>(behind - name) < kBpffsMount.size()) return name;
  std::memmove(name + kBpffsMount.size(), behind, std::strlen(behind) + 1);
  std::memcpy(name, kBpffsMount.data(), kBpffsMount.size());
  return name;
}

// ---- mounts

bool lists_mounts(const char* path) noexcept {
  if (path == nullptr) return false;
  const std::string_view name(path);
  return name == "/proc/mounts" || name == "/proc/self/mounts" || name == "/etc/mtab";
}

// Whether a line of /proc/mounts is about a bpf file system of the machine's, or about what lies where ours is.
bool is_covered(const char* line) noexcept {
  char target[kMostPath], type[64];
  if (std::sscanf(line, "%*s %4095s %63s", target, type) != 2) return false;
  return std::strcmp(type, "bpf") == 0 || kBpffsMount == target;
}

// The list of mounts as it is with the hive's: a descriptor of a copy.
int open_mounts() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> real(
      ::fdopen(static_cast<int>(raw_open(AT_FDCWD, "/proc/self/mounts", O_RDONLY)), "r"), std::fclose);
  Fd copy(static_cast<int>(::memfd_create("mounts", MFD_CLOEXEC)));
  if (!real || !copy) return -1;
  const auto add = [&copy](const char* line) { return ::write(copy.get(), line, std::strlen(line)) > 0; };
  char line[2 * kMostPath];
  while (std::fgets(line, sizeof line, real.get()) != nullptr)
    if (!is_covered(line) && !add(line)) return -1;
  if (!add("bpf /sys/fs/bpf bpf rw,relatime,mode=700 0 0\n") || ::lseek(copy.get(), 0, SEEK_SET) != 0) return -1;
  return copy.release();
}

bool has_hive() noexcept {
  char folder[kMostPath];
  return folder_of_hive(folder);
}

// The descriptor of this process that "/proc/self/fd/5" names, where `folder` is "fd"; -1 for other paths.
int descriptor_in(const char* path, const char* folder) noexcept {
  if (path == nullptr || std::strncmp(path, "/proc/", 6) != 0) return -1;
  char self[32];
  std::snprintf(self, sizeof self, "%d/", ::getpid());
  const char* rest = path + 6;
  const auto skip = [&rest](const char* text) {
    const std::size_t size = std::strlen(text);
    if (std::strncmp(rest, text, size) != 0) return false;
    rest += size;
    return true;
  };
  if ((!skip("self/") && !skip(self)) || !skip(folder) || !skip("/")) return -1;
  char* end = nullptr;
  const long fd = std::strtol(rest, &end, 10);
  return end != rest && *end == '\0' && fd >= 0 && fd <= INT_MAX ? static_cast<int>(fd) : -1;
}

// ---- opening

// bpf(2) by our own `syscall`, which goes to the hive.
long bpf(int command, void* attr, unsigned size) noexcept { return ::syscall(SYS_bpf, command, attr, size); }

// A pinned iterator opens as what its program writes; other pins, and for writing, with EIO.
int open_pin(const char* path, int flags) noexcept {
  if ((flags & O_ACCMODE) != O_RDONLY) return failed<int>(EIO);
  spec::Attr attr{};
  attr.obj.pathname = reinterpret_cast<std::uintptr_t>(path);
  const Fd pinned(static_cast<int>(bpf(static_cast<int>(spec::Command::ObjGet), &attr, sizeof attr)));
  const std::optional<hive::Identity> identity = pinned ? hive::from_socket(pinned.get()) : std::nullopt;
  if (!identity || identity->kind != hive::Kind::Link) return failed<int>(EIO);
  attr = {};
  attr.iter_create.link_fd = static_cast<std::uint32_t>(pinned.get());
  const auto text = static_cast<int>(bpf(static_cast<int>(spec::Command::IterCreate), &attr, sizeof attr));
  return text < 0 && errno == EINVAL ? failed<int>(EIO) : text;  // a link of another kind
}

// A file of a bpf file system: folders open, pins do not, and nothing is made that way.
int open_in_bpffs(const char* path, int flags) noexcept {
  if ((flags & O_TMPFILE) == O_TMPFILE) return failed<int>(EOPNOTSUPP);
  const long opened = raw_open(AT_FDCWD, path, (flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC);
  if (opened == -ENOENT && (flags & O_CREAT) != 0) return failed<int>(EACCES);
  if (opened < 0) return failed<int>(static_cast<int>(-opened));
  Fd file(static_cast<int>(opened));
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return failed<int>(EEXIST);
  struct stat status{};
  if ((flags & O_PATH) == 0 && ::fstat(file.get(), &status) != 0) return failed<int>(EIO);
  if ((flags & O_PATH) == 0 && S_ISREG(status.st_mode)) file.reset(open_pin(path, flags));
  if (!file) return -1;
  if ((flags & O_CLOEXEC) == 0) ::fcntl(file.get(), F_SETFD, 0);
  return file.release();
}

// A file of the overlay, which nobody writes.
int open_overlay(const char* path, int flags) noexcept {
  if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0) return failed<int>(EROFS);
  const long opened =
      raw_syscall(SYS_openat, AT_FDCWD, static_cast<long>(reinterpret_cast<std::uintptr_t>(path)), flags);
  return opened < 0 ? failed<int>(static_cast<int>(-opened)) : static_cast<int>(opened);
}

// The kernel's symbols with the hive's compiled functions; the machine's file as it is where there are none.
Fd open_symbols(const char* path, int flags) {
  if (std::strcmp(path, "/proc/kallsyms") != 0 || (flags & (O_ACCMODE | O_PATH)) != O_RDONLY || !has_overlay())
    return Fd();
  const Fd kernel(static_cast<int>(raw_open(AT_FDCWD, path, O_RDONLY)));
  return kernel ? open_kallsyms(kernel.get(), bpf) : Fd();
}

// What is opened in another way than libc does; nothing when it is not.
std::optional<int> opened_here(const char* path, int flags) noexcept {
  if (path == nullptr) return std::nullopt;
  if (lists_mounts(path) && (flags & (O_ACCMODE | O_PATH)) == O_RDONLY && has_hive()) return open_mounts();
  if (const int fd = descriptor_in(path, "fdinfo"); fd >= 0)
    if (Fd told = open_fdinfo(fd, bpf)) return told.release();
  if (Fd symbols = open_symbols(path, flags)) return symbols.release();
  const Real real(path);
  if (real.is_overlaid()) return open_overlay(real.path(), flags);
  if (!real.is_beneath()) return std::nullopt;
  return real.error() != 0 ? failed<int>(real.error()) : open_in_bpffs(real.path(), flags);
}

std::optional<std::FILE*> file_opened_here(const char* path, const char* mode) noexcept {
  const int access = std::strchr(mode, '+') != nullptr ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
  const std::optional<int> opened = opened_here(path, access | (*mode == 'r' ? 0 : O_CREAT));
  if (!opened) return std::nullopt;
  return *opened < 0 ? nullptr : ::fdopen(*opened, mode);
}

// ---- what else is its own

void say_bpffs(struct statfs& to) noexcept {
  constexpr long kValidRelatime = 0x1020;
  to = {};
  to.f_type = kBpffsMagic;
  to.f_bsize = to.f_frsize = 4096;
  to.f_namelen = 255;
  to.f_flags = kValidRelatime;
}

// What the kernel's descriptor of the same kind is a link to; null for no object of a hive.
const char* object_name(int fd) noexcept {
  if (fd < 0) return nullptr;
  const int before = errno;
  std::optional<hive::Identity> identity = hive::from_position(::lseek(fd, 0, SEEK_CUR));
  if (!identity) identity = hive::from_socket(fd);
  errno = before;
  if (!identity) return nullptr;
  switch (identity->kind) {
    case hive::Kind::Map: return "anon_inode:bpf-map";
    case hive::Kind::Prog: return "anon_inode:bpf-prog";
    case hive::Kind::Btf: return "anon_inode:btf";
    case hive::Kind::Link: return "anon_inode:bpf-link";  // of a descriptor by path or id: bpftool asks for those
  }
  return nullptr;
}

// What the thread's nftw() calls, which has no room for an argument.
thread_local Visit visitor = nullptr;

int visit_shown(const char* name, const struct stat* status, int type, FTW* where) {
  char text[kMostPath];
  const std::size_t size = std::strlen(name);
  if (size >= sizeof text) return visitor(name, status, type, where);
  std::memcpy(text, name, size + 1);
  shown(text);
  FTW moved = *where;
  moved.base -= static_cast<int>(size - std::strlen(text));
  return visitor(text, status, type, &moved);
}

// Walks for nftw and nftw64.
template <class Walk>
int walk(Walk next, const char* path, __nftw_func_t visit, int most, int flags) noexcept {
  const Real real(path);
  if (real.error() != 0) return failed<int>(real.error());
  if (!real.is_beneath()) return next(path, visit, most, flags);
  char folder[kMostPath];  // without symbolic links, so that names begin with it
  const Fd there(static_cast<int>(raw_open(AT_FDCWD, real.path(), O_PATH | O_NOFOLLOW)));
  if (!there || !name_of(there.get(), folder)) return failed<int>(ENOENT);
  const Visit outer = visitor;
  visitor = visit;
  const int result = next(folder, visit_shown, most, flags);
  visitor = outer;
  return result;
}

// With our own functions for glob's: the names it finds are then those that were asked for.
template <class Glob>
int find_names(Glob next, const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* to) noexcept {
  if (!BpffsPath(pattern).is_beneath() || (flags & GLOB_ALTDIRFUNC) != 0) return next(pattern, flags, on_error, to);
  to->gl_opendir = [](const char* path) -> void* { return ::opendir(path); };
  to->gl_readdir = [](void* at) { return ::readdir(static_cast<DIR*>(at)); };
  to->gl_closedir = [](void* at) { ::closedir(static_cast<DIR*>(at)); };
  to->gl_stat = [](const char* path, struct stat* status) { return ::stat(path, status); };
  to->gl_lstat = [](const char* path, struct stat* status) { return ::lstat(path, status); };
  return next(pattern, flags | GLOB_ALTDIRFUNC, on_error, to);
}

}  // namespace
}  // namespace skep::abi

// Ours are known to the linker by libc's names, to the compiler by others: libc's declarations say more than we need.
#define SKEP_EXPORT(result, name, parameters)                                                              \
  extern "C" __attribute__((visibility("default"))) result skep_##name parameters noexcept __asm__(#name); \
  result skep_##name parameters noexcept
#define SKEP_NEXT(result, name, parameters) static constinit Next<result parameters> next(#name)

#define PATH(result, name, parameters, arguments, at)           \
  SKEP_EXPORT(result, name, parameters) {                       \
    using namespace skep::abi;                                  \
    SKEP_NEXT(result, name, parameters);                        \
    const Real real(at);                                        \
    if (real.error() != 0) return failed<result>(real.error()); \
    (at) = real.path();                                         \
    return next arguments;                                      \
  }
#define ENTRY(result, name, parameters, arguments, at)          \
  SKEP_EXPORT(result, name, parameters) {                       \
    using namespace skep::abi;                                  \
    SKEP_NEXT(result, name, parameters);                        \
    const Real real(at);                                        \
    if (real.error() != 0) return failed<result>(real.error()); \
    if (real.is_root()) return failed<result>(EBUSY);           \
    (at) = real.path();                                         \
    return next arguments;                                      \
  }
#define MOVE(result, name, parameters, arguments, from_path, to_path)                       \
  SKEP_EXPORT(result, name, parameters) {                                                   \
    using namespace skep::abi;                                                              \
    SKEP_NEXT(result, name, parameters);                                                    \
    const Real one(from_path), other(to_path);                                              \
    if (const int error = move_error(one, other); error != 0) return failed<result>(error); \
    (from_path) = one.path();                                                               \
    (to_path) = other.path();                                                               \
    return next arguments;                                                                  \
  }
#define OWN(result, name, parameters)
#include "abi/paths.def"
#undef OWN
#undef MOVE
#undef ENTRY
#undef PATH

// A body that is the same for two names of one function.
#define SKEP_BOTH(result, name, twin, parameters, ...) \
  SKEP_EXPORT(result, name, parameters) {              \
    using namespace skep::abi;                         \
    SKEP_NEXT(result, name, parameters);               \
    __VA_ARGS__                                        \
  }                                                    \
  SKEP_EXPORT(result, twin, parameters) {              \
    using namespace skep::abi;                         \
    SKEP_NEXT(result, twin, parameters);               \
    __VA_ARGS__                                        \
  }

SKEP_BOTH(int, open, open64, (const char* path, int flags, mode_t mode), {
  const std::optional<int> here = opened_here(path, flags);
  return here ? *here : next(path, flags, mode);
})
SKEP_BOTH(int, openat, openat64, (int from, const char* path, int flags, mode_t mode), {
  const std::optional<int> here = opened_here(path, flags);
  return here ? *here : next(from, path, flags, mode);
})
SKEP_BOTH(int, __open_2, __open64_2, (const char* path, int flags), {
  const std::optional<int> here = opened_here(path, flags);
  return here ? *here : next(path, flags);
})
SKEP_BOTH(int, __openat_2, __openat64_2, (int from, const char* path, int flags), {
  const std::optional<int> here = opened_here(path, flags);
  return here ? *here : next(from, path, flags);
})
SKEP_BOTH(int, creat, creat64, (const char* path, mode_t mode), {
  const std::optional<int> here = opened_here(path, O_CREAT | O_WRONLY | O_TRUNC);
  return here ? *here : next(path, mode);
})
SKEP_BOTH(std::FILE*, fopen, fopen64, (const char* path, const char* mode), {
  const std::optional<std::FILE*> here = file_opened_here(path, mode);
  return here ? *here : next(path, mode);
})

SKEP_EXPORT(std::FILE*, setmntent, (const char* path, const char* mode)) {
  using namespace skep::abi;
  SKEP_NEXT(std::FILE*, setmntent, (const char*, const char*));
  const std::optional<std::FILE*> here = file_opened_here(path, mode);
  return here ? *here : next(path, mode);
}

SKEP_BOTH(int, statfs, statfs64, (const char* path, struct statfs* to), {
  const Real real(path);
  if (real.error() != 0) return failed<int>(real.error());
  const int result = next(real.path(), to);
  if (result != 0) return result;
  bool is_ours = real.is_beneath();
  if (!is_ours && *path != '/') {
    const skep::Fd there(static_cast<int>(raw_open(AT_FDCWD, path, O_PATH)));
    is_ours = there && is_in_bpffs(there.get());
  }
  if (is_ours) say_bpffs(*to);
  return 0;
})
SKEP_BOTH(int, fstatfs, fstatfs64, (int fd, struct statfs* to), {
  const int result = next(fd, to);
  if (result == 0 && is_in_bpffs(fd)) say_bpffs(*to);
  return result;
})

SKEP_EXPORT(ssize_t, readlink, (const char* path, char* to, size_t size)) {
  using namespace skep::abi;
  SKEP_NEXT(ssize_t, readlink, (const char*, char*, size_t));
  if (const char* name = object_name(descriptor_in(path, "fd")))
    return static_cast<ssize_t>(std::string_view(name).copy(to, size));
  const Real real(path);
  return real.error() != 0 ? failed<ssize_t>(real.error()) : next(real.path(), to, size);
}
SKEP_EXPORT(ssize_t, __readlink_chk, (const char* path, char* to, size_t size, size_t room)) {
  if (size > room) std::abort();
  return skep_readlink(path, to, size);
}

SKEP_EXPORT(char*, realpath, (const char* path, char* to)) {
  using namespace skep::abi;
  SKEP_NEXT(char*, realpath, (const char*, char*));
  const Real real(path);
  if (real.is_overlaid()) return next(path, to);
  return real.error() != 0 ? failed<char*>(real.error()) : shown(next(real.path(), to));
}
SKEP_EXPORT(char*, __realpath_chk, (const char* path, char* to, size_t room)) {
  if (room < skep::hive::kMostPath) std::abort();
  return skep_realpath(path, to);
}
SKEP_EXPORT(char*, canonicalize_file_name, (const char* path)) { return skep_realpath(path, nullptr); }

SKEP_EXPORT(char*, getcwd, (char* to, size_t size)) {
  using namespace skep::abi;
  SKEP_NEXT(char*, getcwd, (char*, size_t));
  return shown(next(to, size));
}

SKEP_BOTH(int, nftw, nftw64, (const char* path, __nftw_func_t visit, int most, int flags),
          { return walk([&](auto... with) { return next(with...); }, path, visit, most, flags); })
SKEP_BOTH(int, glob, glob64, (const char* pattern, int flags, int (*on_error)(const char*, int), glob_t* to),
          { return find_names([&](auto... with) { return next(with...); }, pattern, flags, on_error, to); })

// The hive's is mounted, once and for all; another place would have another hive's objects in it.
SKEP_EXPORT(int, mount,
            (const char* source, const char* target, const char* type, unsigned long flags, const void* data)) {
  using namespace skep::abi;
  SKEP_NEXT(int, mount, (const char*, const char*, const char*, unsigned long, const void*));
  if (Real(target).is_root()) return 0;
  if (type != nullptr && std::strcmp(type, "bpf") == 0 && has_hive()) return failed<int>(EPERM);
  return next(source, target, type, flags, data);
}
SKEP_EXPORT(int, umount, (const char* target)) {
  using namespace skep::abi;
  SKEP_NEXT(int, umount, (const char*));
  return Real(target).is_root() ? failed<int>(EBUSY) : next(target);
}
SKEP_EXPORT(int, umount2, (const char* target, int flags)) {
  using namespace skep::abi;
  SKEP_NEXT(int, umount2, (const char*, int));
  return Real(target).is_root() ? failed<int>(EBUSY) : next(target, flags);
}
