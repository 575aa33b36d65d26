#include "hive/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <vector>

#include "base/errno.h"
#include "hive/socket_name.h"
#include "maps/kinds.h"
#include "maps/socket_map.h"

namespace skep::hive {
namespace {

using maps::Reference;
using spec::MapType;

MapType type_of(const MapObject& map) noexcept { return map.map->spec().type; }
bool is_inet(const SocketName& name) noexcept { return name.family == AF_INET || name.family == AF_INET6; }
bool is_stream(const SocketName& name) noexcept { return name.type == SOCK_STREAM; }
bool is_tcp(const SocketName& name) noexcept {
  return is_inet(name) && is_stream(name) && name.protocol == IPPROTO_TCP;
}
bool is_udp(const SocketName& name) noexcept {
  return is_inet(name) && name.type == SOCK_DGRAM && name.protocol == IPPROTO_UDP;
}
bool is_bound(const SocketName& name) noexcept {
  return name.local.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(name.local).sin_port != 0
                                         : reinterpret_cast<const sockaddr_in6&>(name.local).sin6_port != 0;
}
bool is_connected(const SocketName& name) noexcept { return name.remote.ss_family != AF_UNSPEC; }

int tcp_state(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_state : 0;
}

bool shares_port(int fd) noexcept {
  int on = 0;
  socklen_t size = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, &size) == 0 && on != 0;
}

// Sockets whose data could be redirected, in a state in which they have some, or will give some.
int check_redirectable(int fd, const SocketName& name) noexcept {
  bool fits = false;
  if (is_tcp(name)) {
    const int state = tcp_state(fd);
    fits = state == TCP_ESTABLISHED || state == TCP_LISTEN;
  } else if (is_udp(name)) {
    fits = is_bound(name);
  } else if (name.family == AF_UNIX) {
    fits = name.type == SOCK_DGRAM || (is_stream(name) && is_connected(name));
  } else if (name.family == AF_VSOCK) {
    fits = is_connected(name);
  }
  return fits ? 0 : -EOPNOTSUPP;
}

// Sockets that a connection or a packet to a shared port may be given to.
int check_shared(int fd, const SocketName& name) noexcept {
  const bool is_transport = name.protocol == IPPROTO_UDP || name.protocol == IPPROTO_TCP;
  if (!is_transport || !is_inet(name) || (!is_stream(name) && name.type != SOCK_DGRAM)) return -kNotSupported;
  const bool receives = is_tcp(name) ? tcp_state(fd) == TCP_LISTEN : is_bound(name);
  return receives && shares_port(fd) ? 0 : -EINVAL;
}

int check_index(const MapObject& map, const std::byte* key) noexcept {
  const bool fits = load<std::uint32_t>(key) < map.map->spec().max_entries;
  return fits ? 0 : -E2BIG;
}

int check_presence(MapObject& map, const std::byte* key, std::uint64_t flags) noexcept {
  const bool is_there = map.map->reference(key) != Reference{};
  if (is_there && flags == spec::kNoExist) return -EEXIST;
  return !is_there && flags == spec::kExist ? -ENOENT : 0;
}

// The descriptor that a value starts with; below 0: it is none that can be.
int descriptor_in(const MapObject& map, const std::byte* value) noexcept {
  if (map.map->spec().value_size != sizeof(std::uint64_t)) return load<int>(value);
  const auto wide = load<std::uint64_t>(value);
  return wide > INT_MAX ? -EINVAL : static_cast<int>(wide);
}

// Each kind asks in an order of its own.
int check_before_socket(const MapObject& map, const std::byte* key, std::uint64_t flags) noexcept {
  if (type_of(map) == MapType::Sockmap || type_of(map) == MapType::Sockhash) return 0;
  return flags > spec::kExist ? -EINVAL : check_index(map, key);
}

// A socket is in one array of those that share a port, of a hive's.
bool is_shared_already(State& hive, std::uint64_t cookie) noexcept {
  const std::scoped_lock lock(hive.shared_sockets_mutex);
  const auto found = hive.shared_sockets.find(cookie);
  return found != hive.shared_sockets.end() && hive.objects.get(Kind::Map, found->second);
}
void note_shared(State& hive, const MapObject& map, Reference now, Reference before) noexcept {
  if (type_of(map) != MapType::ReuseportSockarray) return;
  const std::scoped_lock lock(hive.shared_sockets_mutex);
  hive.shared_sockets.erase(maps::cookie_of(before));
  if (now != Reference{}) hive.shared_sockets.insert_or_assign(maps::cookie_of(now), map.id());
}

int check_socket(State& hive, MapObject& map, const std::byte* key, int fd, const SocketName& name,
                 std::uint64_t flags) noexcept {
  switch (type_of(map)) {
    case MapType::Xskmap: return name.family == AF_XDP ? 0 : -EOPNOTSUPP;
    case MapType::ReuseportSockarray:
      if (const int error = check_presence(map, key, flags); error != 0) return error;
      if (const int error = check_shared(fd, name); error != 0) return error;
      return is_shared_already(hive, name.cookie) ? -EBUSY : 0;
    default: break;
  }
  if (const int error = check_redirectable(fd, name); error != 0) return error;
  if (flags > spec::kExist) return -EINVAL;
  if (type_of(map) == MapType::Sockmap)
    if (const int error = check_index(map, key); error != 0) return error;
  return 0;
}

// Names of sockets that are in no slot any more stay until there are twice as many as slots.
void keep_name(MapObject& map, const SocketName& name) {
  if (map.sockets.size() >= 2 * std::size_t{map.map->spec().max_entries})
    std::erase_if(map.sockets, [](const auto& known) { return !is_open(known.second); });
  map.sockets.insert_or_assign(name.cookie, name);
}

bool was_closed(const MapObject& map, Reference reference) noexcept {
  const auto found = map.sockets.find(maps::cookie_of(reference));
  return found != map.sockets.end() && !is_open(found->second);
}

}  // namespace

bool holds_sockets(const MapObject& map) noexcept { return map.kind->family == maps::Family::Socket; }

int write_socket(Request& request, MapObject& map, const std::byte* key, const std::byte* value,
                 std::uint64_t flags) noexcept {
  if (const int error = check_before_socket(map, key, flags); error != 0) return error;
  const int number = descriptor_in(map, value);
  if (number < 0 && map.map->spec().value_size == sizeof(std::uint64_t)) return number;
  const Fd fd = request.caller.descriptor(number);
  if (!fd) return -EBADF;
  const SocketName name = name_of(fd.get());
  if (name.cookie == 0) return -ENOTSOCK;
  drop_closed_socket(request.hive, map, key);
  if (const int error = check_socket(request.hive, map, key, fd.get(), name, flags); error != 0) return error;
  const std::scoped_lock lock(map.mutex);
  const Reference now = maps::reference_of(name.cookie);
  Reference before;
  const int error = map.map->set_reference(key, now, flags, &before);
  if (error != 0) return error;
  keep_name(map, name);
  note_shared(request.hive, map, now, before);
  return 0;
}

int delete_socket(State& hive, MapObject& map, const std::byte* key) noexcept {
  drop_closed_socket(hive, map, key);
  const Reference before = map.map->reference(key);
  const int error = map.map->erase(key);
  if (error == 0) note_shared(hive, map, {}, before);
  return error;
}

void drop_closed_socket(State& hive, MapObject& map, const std::byte* key) noexcept {
  const Reference held = map.map->reference(key);
  if (held == Reference{}) return;
  const std::scoped_lock lock(map.mutex);
  if (!was_closed(map, held)) return;
  map.map->erase(key);
  note_shared(hive, map, {}, held);
}

void drop_closed_sockets(State& hive, MapObject& map) noexcept {
  if (type_of(map) != MapType::Sockhash) return;
  Buffer key(map.map->spec().key_size);
  Buffer next(map.map->spec().key_size);
  if (!key.ok() || !next.ok()) return;
  std::vector<std::vector<std::byte>> keys;
  for (const std::byte* from = nullptr; map.map->next_key(from, next.data()) == 0; from = key.data()) {
    std::ranges::copy(next.bytes(), key.data());
    keys.emplace_back(key.data(), key.data() + key.bytes().size());
    if (keys.size() > map.map->spec().max_entries) break;
  }
  for (const auto& each : keys) drop_closed_socket(hive, map, each.data());
}

}  // namespace skep::hive
