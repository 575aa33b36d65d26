// Keys of arrays whose value is known: an element that an array has is found, which 6.18 relies on.
#include "verifier/step/helper_call.h"
#include "verifier/step/precision.h"

namespace skep::verifier {
namespace {

bool is_array(const spec::MapView& map) {
  return map.spec.type == spec::MapType::Array || map.spec.type == spec::MapType::PercpuArray;
}

// How many bytes of `kind` a slot has from byte `first` of its order down.
unsigned run_of(const Slot& slot, unsigned first, ByteKind kind) {
  unsigned length = 0;
  while (length <= first && slot.bytes[first - length] == kind) ++length;
  return length;
}

}  // namespace

Checked read_constant_key(Walk& walk, unsigned number, CallArguments& call) {
  if (walk.rules == Rules::Linux612 || !is_array(walk.map(*call.map))) return {};
  const Register& reg = walk.peek(number);
  if (reg.kind != Kind::Stack || !reg.number.is_constant()) return {};
  const std::int64_t byte = -(reg.offset + static_cast<std::int64_t>(reg.number.value())) - 1;
  const auto index = static_cast<std::size_t>(byte) / kSlotBytes;
  const auto first = static_cast<unsigned>(static_cast<std::size_t>(byte) % kSlotBytes);
  const Frame& frame = *walk.state.frames[reg.frame];
  if (byte < 0 || index >= frame.stack.size()) return {};
  const Slot& slot = frame.stack[index];
  const unsigned size = walk.map(*call.map).spec.key_size;
  if (run_of(slot, first, ByteKind::Zero) >= size) {
    call.key = 0;
    return {};
  }
  const bool is_key = slot.holds_scalar() && run_of(slot, first, ByteKind::Spill) == size;
  if (!is_key || !slot.spilled.number.is_constant()) return {};
  call.key = slot.spilled.number.value();
  PrecisionSet set;
  set.add({.frame = static_cast<std::uint8_t>(reg.frame), .is_slot = true, .number = static_cast<std::uint8_t>(index)});
  return mark_precise(walk, set);
}

bool finds_element(const Walk& walk, const CallArguments& call) {
  return is(call, spec::HelperId::map_lookup_elem) && call.key && *call.key < walk.map(*call.map).spec.max_entries;
}

}  // namespace skep::verifier
