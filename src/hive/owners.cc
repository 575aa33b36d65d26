#include "hive/owners.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "base/fd.h"
#include "hive/socket_name.h"

namespace skep::hive {
namespace {

using maps::Owner;
using spec::MapType;

// The start of a small file of /proc, which ends in a zero.
struct Text {
  char bytes[1024] = {};
};
bool read_text(const char* path, Text& text) noexcept {
  const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
  return file && ::read(file.get(), text.bytes, sizeof text.bytes - 1) > 0;
}

// When a task started, in ticks since boot: the 22nd field, counted from behind the name, which may hold anything. 0:
// there is no such task.
unsigned long long start_of(int pid) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  Text text;
  if (!read_text(path, text)) return 0;
  const char* at = std::strrchr(text.bytes, ')');
  unsigned long long start = 0;
  constexpr const char* kFields = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu";
  return at != nullptr && std::sscanf(at, kFields, &start) == 1 ? start : 0;
}

int task_of(int pidfd, Owner& owner) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
  Text text;
  if (!read_text(path, text)) return -EBADF;
  const char* line = std::strstr(text.bytes, "\nPid:");
  int pid = 0;
  if (line == nullptr || std::sscanf(line, "\nPid: %d", &pid) != 1) return -EBADF;
  const unsigned long long start = pid > 0 ? start_of(pid) : 0;
  if (start == 0) return -ENOENT;
  owner = {static_cast<std::uint64_t>(pid), start};
  return 0;
}

int socket_of(int fd, Owner& owner) noexcept {
  owner.which = name_of(fd).cookie;
  return owner.which != 0 ? 0 : -ENOTSOCK;
}

int inode_of(int fd, Owner& owner) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return -EBADF;
  owner = {status.st_dev, status.st_ino};
  return 0;
}

// A cgroup that was removed still opens, but has nothing inside.
int cgroup_of(int fd, Owner& owner) noexcept {
  struct statfs system{};
  struct stat status{};
  if (::fstatfs(fd, &system) != 0 || ::fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) return -EBADF;
  if (system.f_type != CGROUP2_SUPER_MAGIC && system.f_type != CGROUP_SUPER_MAGIC) return -EBADF;
  if (::faccessat(fd, "cgroup.procs", F_OK, 0) != 0) return -ENOENT;
  owner = {status.st_dev, status.st_ino};
  return 0;
}

int owner_of(MapType type, int fd, Owner& owner) noexcept {
  switch (type) {
    case MapType::TaskStorage: return task_of(fd, owner);
    case MapType::SkStorage: return socket_of(fd, owner);
    case MapType::InodeStorage: return inode_of(fd, owner);
    default: return cgroup_of(fd, owner);
  }
}

bool has_gone(MapType type, const Owner& owner) noexcept {
  return type == MapType::TaskStorage && start_of(static_cast<int>(owner.where)) != owner.which;
}

}  // namespace

bool is_owned(const MapObject& map) noexcept { return map.kind->has(maps::kOwned); }

std::size_t key_bytes(const MapObject& map) noexcept {
  return is_owned(map) ? sizeof(Owner) : map.map->spec().key_size;
}

int check_cgroup(int fd) noexcept {
  Owner owner;
  struct statfs system{};
  if (const int error = cgroup_of(fd, owner); error != 0) return error;
  return ::fstatfs(fd, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC ? 0 : -EBADF;
}

int find_owner(Request& request, const MapObject& map, Buffer& key) noexcept {
  const Fd fd = request.caller.descriptor(load<int>(key.data()));
  if (!fd) return -EBADF;
  Owner owner;
  const int error = owner_of(map.map->spec().type, fd.get(), owner);
  store(key.data(), owner);
  return error;
}

bool drop_gone(MapObject& map) noexcept {
  struct Search {
    MapType type;
    std::vector<Owner> gone = {};
  } search{map.map->spec().type};
  map.map->for_each(
      [](void* context, std::byte* key, std::byte*) noexcept -> std::uint64_t {
        auto& into = *static_cast<Search*>(context);
        if (const auto owner = load<Owner>(key); has_gone(into.type, owner)) into.gone.push_back(owner);
        return 0;
      },
      &search, 0);
  for (const Owner& owner : search.gone) map.map->erase(reinterpret_cast<const std::byte*>(&owner));
  return !search.gone.empty();
}

}  // namespace skep::hive
