// BPF_OBJ_PIN and BPF_OBJ_GET: names for objects, in the hive's file system of pins (hive/bpffs.h).
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/raw_syscall.h"
#include "hive/bpffs_path.h"
#include "hive/request.h"
#include "hive/user_text.h"

namespace skep::hive {
namespace {

constexpr std::uint32_t kAccess = spec::kRdonly | spec::kWronly;
// Where a relative path begins, for the caller; nothing when the attribute makes no sense.
std::optional<int> start_of(const spec::AttrObj& attr) noexcept {
  if ((attr.file_flags & spec::kPathFd) != 0) return attr.path_fd;
  return attr.path_fd == 0 ? std::optional(AT_FDCWD) : std::nullopt;
}

// What can be pinned: a map, a program, a link.
Ref<Object> find_pinnable(Request& request, std::uint32_t number) noexcept {
  const auto fd = static_cast<int>(number);
  if (const auto map = find_map(request.hive, request.caller, fd); map.object) return Ref<Object>(map.object.get());
  if (const auto prog = find_prog(request.hive, request.caller, fd); prog.object) return Ref<Object>(prog.object.get());
  return Ref<Object>(find_link(request.hive, request.caller, fd).object.get());
}

// As the kernel asks the inode, whose owner is the owner of the hive: 0 or an errno.
int may_access(int file, std::uint32_t flags) noexcept {
  const int mode = flags == spec::kRdonly ? R_OK : flags == spec::kWronly ? W_OK : R_OK | W_OK;
  return static_cast<int>(-raw_syscall(SYS_faccessat2, file, static_cast<long>(reinterpret_cast<std::uintptr_t>("")),
                                       mode, AT_EMPTY_PATH | AT_EACCESS));
}

long install_pinned(Request& request, Object& object, std::uint32_t flags) {
  if (object.kind() != Kind::Map) return install(request, object);
  auto& map = static_cast<MapObject&>(object);
  const bool for_reading = flags == spec::kRdonly || map.map->frozen();
  return install_map(request, map,
                     for_reading              ? Access::ReadOnly
                     : flags == spec::kWronly ? Access::WriteOnly
                                              : Access::ReadWrite);
}

}  // namespace

long obj_pin(Request& request) {
  const spec::AttrObj& attr = request.attr.obj;
  const std::optional<int> from = start_of(attr);
  if ((attr.file_flags & ~std::uint32_t{spec::kPathFd}) != 0 || !from) return -EINVAL;
  const Ref<Object> object = find_pinnable(request, attr.bpf_fd);
  if (!object) return -EINVAL;
  const Result<std::string> path = read_path(request.caller, attr.pathname);
  if (!path) return refuse(path.error());
  Bpffs& bpffs = request.hive.bpffs;
  const Result<Bpffs::Name> name = bpffs.name(request.caller, *from, *path);
  if (!name) return refuse(name.error());
  const Result<> pinned = request.hive.objects.pin(*object, [&] { return bpffs.make(*name); });
  return pinned ? 0 : refuse(pinned.error());
}

long obj_get(Request& request) {
  const spec::AttrObj& attr = request.attr.obj;
  const std::optional<int> from = start_of(attr);
  if (attr.bpf_fd != 0 || (attr.file_flags & ~(kAccess | spec::kPathFd)) != 0 || !from) return -EINVAL;
  const std::uint32_t flags = attr.file_flags & kAccess;
  if (flags == kAccess) return -EINVAL;
  const Result<std::string> path = read_path(request.caller, attr.pathname);
  if (!path) return refuse(path.error());
  const Result<Fd> file = request.hive.bpffs.find(request.caller, *from, *path);
  if (!file) return refuse(file.error());
  if (const int error = may_access(file->get(), flags); error != 0) return refuse(error, *path + ": permission denied");
  const Ref<Object> object = request.hive.objects.pinned(file->get());
  if (!object) return refuse(EACCES, *path + " is no pin");
  return install_pinned(request, *object, flags);
}

}  // namespace skep::hive
