// The packet, and the bytes before it: only what was compared with its end is there.
#include "spec/prog_rules.h"
#include "verifier/step/memory.h"

namespace skep::verifier {

bool may_access_packet(const Walk& walk, Direction direction) noexcept {
  const spec::PacketRights rights = spec::packet_rights(walk.type);
  return rights == spec::PacketRights::ReadWrite ||
         (rights == spec::PacketRights::Read && direction == Direction::Read);
}

Checked check_packet(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, bool may_be_empty) {
  const Register& base = walk.peek(number);
  if (base.number.full.smin < 0)
    return walk.reject(EACCES, "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
                       number);
  if (base.range < 0) return walk.reject(EINVAL, "R{} offset is outside of the packet", number);
  if (check_inside(walk, number, offset, size, static_cast<std::uint32_t>(base.range), may_be_empty)) return {};
  walk.say("{}", walk.rejection->message);
  return walk.reject(EACCES, "R{} offset is outside of the packet", number);
}

Checked access_packet(Walk& walk, const Target& target) {
  if (!target.reads()) {
    if (!may_access_packet(walk, Direction::Write)) return walk.reject(EACCES, "cannot write into packet");
    walk.writes_packet = true;
    TRY_VOID(check_leak(walk, target.access, "packet"));
  }
  return check_packet(walk, target.access.base, target.offset, target.access.size, false);
}

}  // namespace skep::verifier
