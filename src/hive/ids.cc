// Iterating ids and getting descriptors by id. Both look first whether the objects still live.
#include <climits>

#include "hive/request.h"

namespace skep::hive {
namespace {

long next_id(Request& request, Kind kind) {
  const spec::AttrId& attr = request.attr.id;
  if (attr.start_id >= INT_MAX) return -EINVAL;
  if (!request.caller.privilege().sys_admin) return -EPERM;
  const std::uint32_t next = request.hive.objects.next(kind, attr.start_id);
  if (next == 0) return -ENOENT;
  return answer(request, offsetof(spec::AttrId, next_id), next) ? 0 : -EFAULT;
}

long fd_by_id(Request& request, Kind kind) {
  if (!request.caller.privilege().sys_admin) return -EPERM;
  const Ref<Object> object = request.hive.objects.get(kind, request.attr.id.prog_id);
  return object ? install(request, *object) : -ENOENT;
}

}  // namespace

long prog_get_next_id(Request& request) { return next_id(request, Kind::Prog); }
long map_get_next_id(Request& request) { return next_id(request, Kind::Map); }
long btf_get_next_id(Request& request) { return next_id(request, Kind::Btf); }
long link_get_next_id(Request& request) { return next_id(request, Kind::Link); }

long prog_get_fd_by_id(Request& request) { return fd_by_id(request, Kind::Prog); }
long btf_get_fd_by_id(Request& request) { return fd_by_id(request, Kind::Btf); }
long link_get_fd_by_id(Request& request) { return fd_by_id(request, Kind::Link); }

long map_get_fd_by_id(Request& request) {
  const spec::AttrId& attr = request.attr.id;
  constexpr std::uint32_t kAccess = spec::kRdonly | spec::kWronly;
  if ((attr.open_flags & ~kAccess) != 0) return -EINVAL;
  if (!request.caller.privilege().sys_admin) return -EPERM;
  if (attr.open_flags == kAccess) return -EINVAL;
  const Ref<Object> object = request.hive.objects.get(Kind::Map, attr.map_id);
  if (!object) return -ENOENT;
  auto& map = static_cast<MapObject&>(*object);
  const bool for_reading = attr.open_flags == spec::kRdonly || map.map->frozen();
  return install_map(request, map,
                     for_reading                        ? Access::ReadOnly
                     : attr.open_flags == spec::kWronly ? Access::WriteOnly
                                                        : Access::ReadWrite);
}

}  // namespace skep::hive
