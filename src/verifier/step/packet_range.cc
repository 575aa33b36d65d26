#include "verifier/step/packet_range.h"

#include <algorithm>
#include <optional>

namespace skep::verifier {
namespace {

using isa::JumpOp;

// The farthest a packet pointer may be and still be compared with the end, in bytes.
constexpr std::uint64_t kMaxPacketOffset = 0xffff;

// A comparison turned so that the pointer comes first.
struct Turned {
  JumpOp op;
  unsigned pointer;
};

bool is_start(const Register& reg) { return reg.kind == Kind::Packet && reg.offset == 0 && reg.is_fixed(); }
bool ends(const Register& pointer, const Register& end) {
  return (pointer.kind == Kind::Packet && end.kind == Kind::PacketEnd) ||
         (pointer.kind == Kind::PacketMeta && is_start(end));
}
bool orders(JumpOp op) { return op == JumpOp::Gt || op == JumpOp::Ge || op == JumpOp::Lt || op == JumpOp::Le; }

enum class Open : std::uint8_t { No, Yes };  // whether the byte at the pointer is there too

void widen_ranges(State& state, const Register& pointer, Open open) {
  if (pointer.offset < 0 || (pointer.offset == 0 && open == Open::Yes)) return;
  const std::uint64_t most = pointer.number.full.umax;
  if (most > kMaxPacketOffset || most + static_cast<std::uint64_t>(pointer.offset) > kMaxPacketOffset) return;
  const std::int32_t range = pointer.offset + (open == Open::Yes ? 1 : 0);
  state.update_registers(
      [&](const Register& reg) { return reg.kind == pointer.kind && reg.id == pointer.id && reg.range < range; },
      [&](Register& reg) { reg.range = range; });
}

void mark_outside(State& state, unsigned number, std::int32_t where) {
  Register& pointer = state.mutable_frame().registers[number];
  if (pointer.kind == Kind::Packet) pointer.range = where;
}

}  // namespace

bool is_any_packet(const Register& reg) noexcept { return reg.is_packet() || reg.kind == Kind::PacketEnd; }

Outcome packet_outcome(JumpOp op, const Register& a, const Register& b) noexcept {
  const Register* pointer = &a;
  if (a.kind == Kind::PacketEnd) {
    pointer = &b;
    op = flipped(op);
  } else if (b.kind != Kind::PacketEnd) {
    return Outcome::Unknown;
  }
  if (!orders(op) || pointer->range >= 0) return Outcome::Unknown;
  const bool beyond = pointer->range == kBeyondPacketEnd;
  if (op == JumpOp::Gt || op == JumpOp::Le)
    return !beyond ? Outcome::Unknown : op == JumpOp::Gt ? Outcome::Always : Outcome::Never;
  return op == JumpOp::Ge ? Outcome::Always : Outcome::Never;
}

bool learn_packet_range(JumpOp op, unsigned dst, unsigned src, State& other, State& taken) {
  if (!orders(op)) return false;
  const Register &a = other.frame().registers[dst], &b = other.frame().registers[src];
  std::optional<Turned> turned;
  if (ends(a, b))
    turned = {op, dst};
  else if (ends(b, a))
    turned = {flipped(op), src};
  if (!turned) return false;
  const bool inside_taken = turned->op == JumpOp::Lt || turned->op == JumpOp::Le;
  // pointer < end, and not pointer >= end: the byte at the pointer is there.
  const Open open = turned->op == JumpOp::Lt || turned->op == JumpOp::Ge ? Open::Yes : Open::No;
  const Register pointer = other.frame().registers[turned->pointer];
  widen_ranges(inside_taken ? taken : other, pointer, open);
  mark_outside(inside_taken ? other : taken, turned->pointer, open == Open::Yes ? kAtPacketEnd : kBeyondPacketEnd);
  return true;
}

}  // namespace skep::verifier
