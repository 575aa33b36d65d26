// The stack in ranges: bounds for every access, and what a helper is handed.
#include <algorithm>

#include "base/bytes.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

// 6.12 does not say whether a helper reads or writes; 6.18 says it as of an instruction.
bool is_indirect(const Walk& walk, const StackRange& range) { return range.by_helper && walk.rules == Rules::Linux612; }

std::string_view access_words(const Walk& walk, const StackRange& range, Direction direction) {
  if (is_indirect(walk, range)) return "indirect access to";
  return direction == Direction::Read ? "read from" : "write to";
}

struct Extent {
  std::int64_t first, end;  // offsets below the frame pointer
};

Extent extent_of(const Register& base, const StackRange& range) {
  if (base.number.is_constant()) {
    const std::int64_t at = static_cast<std::int64_t>(base.number.value()) + range.offset;
    return {at, at + range.size};
  }
  return {base.number.full.smin + range.offset, base.number.full.smax + range.offset + range.size};
}

// EACCES below the stack, EINVAL above; 0.
int why_outside(const Walk& walk, const Frame& frame, const Extent& extent, std::int64_t size, Direction direction) {
  const bool may_grow = direction == Direction::Write || walk.reads_uninit_stack;
  const std::int64_t lowest = may_grow ? -std::int64_t{isa::kStackBytes} : -std::int64_t{frame.depth()};
  if (extent.first < lowest || extent.first > -1) return EACCES;
  if (extent.end > 0) return EINVAL;
  return size < 0 ? EFAULT : 0;
}

void grow(Walk& walk, unsigned index, std::int64_t first) {
  const Frame& frame = *walk.state.frames[index];
  const std::size_t bytes = round_up(static_cast<std::size_t>(-first), kSlotBytes);
  if (frame.depth() >= bytes) return;
  walk.state.mutable_frame(index).stack.resize(bytes / kSlotBytes);
  Subprog& subprog = walk.subprogs[walk.state.frames[index]->subprog];
  subprog.stack_depth = std::max(subprog.stack_depth, static_cast<std::uint32_t>(bytes));
}

// What a helper fills must not be a dynptr.
Checked check_no_dynptr(Walk& walk, const Frame& frame, const Extent& extent) {
  for (std::int64_t i = extent.first; i < extent.end; ++i) {
    const auto below = static_cast<std::size_t>(-i - 1);
    if (below >= frame.depth()) continue;
    if (frame.stack[below / kSlotBytes].bytes[below % kSlotBytes] == ByteKind::Dynptr)
      return walk.reject(EACCES, "potential write to dynptr at off={} disallowed", i);
  }
  return {};
}

bool is_initialised(const Walk& walk, const Slot& slot, ByteKind kind) {
  if (kind == ByteKind::Misc || kind == ByteKind::Zero) return true;
  if (kind == ByteKind::Invalid && walk.reads_uninit_stack) return true;
  return slot.holds_register() && (slot.spilled.is_scalar() || walk.may_leak);
}

void clobber(Slot& slot, std::size_t byte) {
  ByteKind& kind = slot.bytes[byte];
  if (kind == ByteKind::Zero || kind == ByteKind::Invalid) kind = ByteKind::Misc;
  if (kind == ByteKind::Misc || !slot.holds_register()) return;
  slot.spilled = Register::unknown();
  for (ByteKind& other : slot.bytes)
    if (other != ByteKind::Invalid) other = ByteKind::Misc;
}

Checked refuse_byte(Walk& walk, const StackRange& range, const Register& base, const Extent& extent, std::int64_t at) {
  const std::string_view words = is_indirect(walk, range) ? "indirect read" : "read";
  if (base.number.is_constant())
    return walk.reject(EACCES, "invalid {} from stack R{} off {}+{} size {}", words, range.number, extent.first,
                       at - extent.first, range.size);
  return walk.reject(EACCES, "invalid {} from stack R{} var_off {}+{} size {}", words, range.number,
                     text_of(base.number.bits), at - extent.first, range.size);
}

}  // namespace

Checked check_stack_bounds(Walk& walk, const StackRange& range, Direction direction) {
  const Register& base = walk.peek(range.number);
  const std::string_view words = access_words(walk, range, direction);
  const Scalar64& number = base.number;
  if (!number.is_constant() && (number.full.smax >= kMaxVariableOffset || number.full.smin <= -kMaxVariableOffset))
    return walk.reject(EACCES, "invalid unbounded variable-offset {} stack R{}", words, range.number);
  const Extent extent = extent_of(base, range);
  // Where a helper may write is looked at byte by byte later: here only the stack's ends count.
  const Direction bounds = is_indirect(walk, range) ? Direction::Write : direction;
  if (const int why = why_outside(walk, *walk.state.frames[base.frame], extent, range.size, bounds); why != 0) {
    if (number.is_constant())
      return walk.reject(why, "invalid {} stack R{} off={} size={}", words, range.number, extent.first, range.size);
    return walk.reject(why, "invalid variable-offset {} stack R{} var_off={} off={} size={}", words, range.number,
                       text_of(number.bits), range.offset, range.size);
  }
  grow(walk, base.frame, extent.first);
  return {};
}

Checked check_stack_initialised(Walk& walk, const StackRange& range) {
  const Register base = walk.peek(range.number);
  if (!base.number.is_constant() && !walk.bypasses_spec_v1)
    return walk.reject(EACCES, "R{} variable offset stack access prohibited for !root, var_off={}", range.number,
                       text_of(base.number.bits));
  const Extent extent = extent_of(base, range);
  for (std::int64_t at = extent.first; at < extent.end; ++at) {
    const auto below = static_cast<std::size_t>(-at - 1);
    const std::size_t index = below / kSlotBytes;
    const Frame& frame = *walk.state.frames[base.frame];
    if (below >= frame.depth()) return walk.reject(EFAULT, "allocated_stack too small");
    const Slot& slot = frame.stack[index];
    if (!is_initialised(walk, slot, slot.bytes[below % kSlotBytes])) return refuse_byte(walk, range, base, extent, at);
    if (range.clobbers) clobber(walk.state.mutable_frame(base.frame).stack[index], below % kSlotBytes);
    walk.mark_slot_read(base.frame, index);
  }
  return {};
}

Checked check_stack_memory(Walk& walk, const HelperMemory& memory, std::int32_t offset, std::optional<RawMemory>& raw) {
  if (memory.size == 0 && !memory.may_be_empty) return walk.reject(EACCES, "invalid zero-sized read");
  const bool clobbers = walk.rules == Rules::Linux612 || memory.writes;
  const StackRange range{memory.number, offset, memory.size, true, clobbers};
  TRY_VOID(check_stack_bounds(walk, range, memory.writes ? Direction::Write : Direction::Read));
  const Register& base = walk.peek(memory.number);
  if (!memory.is_uninit || !base.number.is_constant()) return check_stack_initialised(walk, range);
  TRY_VOID(check_no_dynptr(walk, *walk.state.frames[base.frame], extent_of(base, range)));
  raw = RawMemory{memory.number, memory.size};
  return {};
}

}  // namespace skep::verifier
