// BPF_ENABLE_STATS: programs are timed while a descriptor from here is open; BPF_PROG_BIND_MAP.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "hive/request.h"

namespace skep::hive {

namespace {

bool make_pair(Fd& user, Fd& ours) noexcept {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return false;
  user.reset(pair[0]);
  ours.reset(pair[1]);
  return true;
}

}  // namespace

long enable_stats(Request& request) {
  if (!request.caller.privilege().sys_admin) return -EPERM;
  if (request.attr.enable_stats.type != std::to_underlying(spec::StatsType::RunTime)) return -EINVAL;
  Fd user;
  Fd ours;
  if (!make_pair(user, ours)) return refuse(errno, "enable_stats: no socket pair");
  {
    const std::scoped_lock lock(request.hive.statistics_mutex);
    request.hive.statistics_ends.push_back(std::move(ours));
  }
  request.hive.count_statistics();
  return request.caller.give(std::move(user));
}

long prog_bind_map(Request& request) {
  const spec::AttrProgBindMap& attr = request.attr.prog_bind_map;
  if (attr.flags != 0) return -EINVAL;
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!prog.object) return -prog.error;
  const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
  if (!map.object) return -map.error;
  const std::scoped_lock lock(prog.object->mutex);
  if (std::ranges::find(prog.object->maps, map.object.get()) != prog.object->maps.end()) return 0;
  prog.object->maps.push_back(map.object.get());
  request.hive.objects.hold(*prog.object, *map.object);
  return 0;
}

}  // namespace skep::hive
