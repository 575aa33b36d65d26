// Memory of a known shape that is none of the packet's, the stack's or a map's: what helpers hand out, sockets, flow
// keys, buffers.
#include <algorithm>

#include "spec/sockets.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

constexpr std::int64_t kFlowKeysBytes = 56;

// The register's pointer is one past whose start nothing variable lies.
Checked check_buffer_start(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size,
                           std::string_view which) {
  if (offset < 0)
    return walk.reject(EACCES, "R{} invalid {} buffer access: off={}, size={}", number, which, offset, size);
  const Register& base = walk.peek(number);
  if (!base.is_fixed())
    return walk.reject(EACCES, "R{} invalid variable buffer offset: off={}, var_off={}", number, offset,
                       text_of(base.number.bits));
  return {};
}

Checked check_writable(Walk& walk, const Target& target) {
  const Register& base = walk.peek(target.access.base);
  if (target.reads() || !base.is(kReadOnly)) return {};
  return walk.reject(EACCES, "R{} cannot write into {}", target.access.base, base.type_name());
}

spec::SocketKind socket_kind(Kind kind) {
  switch (kind) {
    case Kind::SockCommon: return spec::SocketKind::Common;
    case Kind::TcpSock: return spec::SocketKind::Tcp;
    case Kind::XdpSock: return spec::SocketKind::Xdp;
    default: return spec::SocketKind::Full;
  }
}

}  // namespace

Checked access_memory(Walk& walk, const Target& target) {
  TRY_VOID(check_writable(walk, target));
  TRY_VOID(check_leak(walk, target.access, "mem"));
  const unsigned number = target.access.base;
  return check_region(walk, number, target.offset, target.access.size, walk.peek(number).memory_size, false);
}

Checked access_socket(Walk& walk, const Target& target) {
  const Access& access = target.access;
  const Register& base = walk.peek(access.base);
  if (!target.reads()) return walk.reject(EACCES, "R{} cannot write into {}", access.base, base.type_name());
  if (base.number.full.smin < 0)
    return walk.reject(EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
                       access.base);
  if (spec::can_read(socket_kind(base.kind), target.offset, access.size)) return {};
  return walk.reject(EACCES, "R{} invalid {} access off={} size={}", access.base, base.type_name(), target.offset,
                     access.size);
}

Checked access_flow_keys(Walk& walk, const Target& target) {
  TRY_VOID(check_leak(walk, target.access, "flow keys"));
  const std::int64_t end = std::int64_t{target.offset} + target.access.size;
  if (target.offset >= 0 && end <= kFlowKeysBytes) return {};
  return walk.reject(EACCES, "invalid access to flow keys off={} size={}", target.offset, target.access.size);
}

Checked access_tp_buffer(Walk& walk, const Target& target) {
  const Access& access = target.access;
  TRY_VOID(check_buffer_start(walk, access.base, target.offset, access.size, "tracepoint"));
  walk.max_tp_buffer_end = std::max(walk.max_tp_buffer_end, std::int64_t{target.offset} + access.size);
  return {};
}

Checked check_buffer(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size) {
  const bool read_only = walk.peek(number).is(kReadOnly);
  TRY_VOID(check_buffer_start(walk, number, offset, size, read_only ? "rdonly" : "rdwr"));
  std::int64_t& most = read_only ? walk.max_read_buffer_end : walk.max_write_buffer_end;
  most = std::max(most, offset + size);
  return {};
}

Checked access_buffer(Walk& walk, const Target& target) {
  TRY_VOID(check_writable(walk, target));
  return check_buffer(walk, target.access.base, target.offset, target.access.size);
}

}  // namespace skep::verifier
