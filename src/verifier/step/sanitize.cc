#include "verifier/step/sanitize.h"

#include <cstdlib>

#include "verifier/step/access.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using spec::PointerMask;

constexpr std::uint8_t kBySource = 0x08, kOperation = 0xf0, kAdd = 0x00, kSubtract = 0x10;
constexpr std::string_view kProhibited = "pointer arithmetic with it prohibited for !root";

bool is_by_register(const isa::Insn& insn) { return (insn.code & kBySource) != 0; }
bool is_sum(const isa::Insn& insn) { return (insn.code & kOperation) == kAdd || (insn.code & kOperation) == kSubtract; }

}  // namespace

bool PointerMasking::adds() const noexcept { return (insn_.code & kOperation) == kAdd; }

bool PointerMasking::is_needed() const noexcept {
  return is_sum(insn_) && !walk_.bypasses_spec_v1 && is_by_register(insn_);
}

std::unexpected<Rejected> PointerMasking::refuse(Reason reason) const {
  const unsigned dst = insn_.dst, src = insn_.src;
  const unsigned number = number_is_destination_ ? dst : src, pointer = number_is_destination_ ? src : dst;
  const std::string_view verb = adds() ? "add" : "sub";
  switch (reason) {
    case Reason::Bounds:
      return walk_.reject(EACCES, "R{} has unknown scalar with mixed signed bounds, {}", number, kProhibited);
    case Reason::Type:
      return walk_.reject(EACCES, "R{} has pointer with unsupported alu operation, {}", pointer, kProhibited);
    case Reason::Paths:
      return walk_.reject(EACCES, "R{} tried to {} from different maps, paths or scalars, {}", dst, verb, kProhibited);
    case Reason::Limit:
      return walk_.reject(EACCES, "R{} tried to {} beyond pointer bounds, {}", dst, verb, kProhibited);
    case Reason::Stack:
      return walk_.reject(EACCES, "R{} could not be pushed for speculative verification, {}", dst, kProhibited);
  }
  return walk_.reject(EACCES, "");
}

CheckedOf<std::uint32_t> PointerMasking::limit_of(const Register& pointer) const {
  const Scalar64& number = pointer.number;
  std::uint32_t most = 0, limit = 0;
  if (pointer.kind == Kind::Stack && pointer.traits == 0) {
    most = isa::kStackBytes + (to_the_left_ ? 1 : 0);  // the frame pointer itself is a start for the left
    limit = static_cast<std::uint32_t>(-(static_cast<std::int64_t>(number.bits.value) + pointer.offset));
  } else if (pointer.kind == Kind::MapValue && pointer.traits == 0) {
    most = walk_.map(pointer.map).spec.value_size;
    const auto variable = to_the_left_ ? static_cast<std::uint64_t>(number.full.smin) : number.full.umax;
    limit = static_cast<std::uint32_t>(variable) + static_cast<std::uint32_t>(pointer.offset);
  } else {
    return refuse(Reason::Type);
  }
  if (limit >= most) return refuse(Reason::Limit);
  return limit;
}

Checked PointerMasking::choose(std::uint8_t masking, std::uint32_t limit, std::uint8_t& chosen,
                               std::uint32_t& chosen_limit) const {
  if (chosen != 0 && (chosen != masking || chosen_limit != limit)) return refuse(Reason::Paths);
  chosen = masking;
  chosen_limit = limit;
  return {};
}

Checked PointerMasking::fork_with_zero(const Register& pointer) {
  const auto path = walk_.fork(walk_.index + 1, true);
  if (!path) {
    walk_.say("{}", walk_.rejection->message);
    return refuse(Reason::Stack);
  }
  if (number_is_destination_) (*path)->mutable_frame().registers[insn_.dst] = pointer;
  return {};
}

Checked PointerMasking::begin(const Register& pointer, const Register& number) {
  if (!is_needed()) return {};
  const bool constant = number.number.is_constant();
  const bool negative = number.number.full.smin < 0;
  number_is_destination_ = !walk_.peek(insn_.dst).is_pointer();
  if (!walk_.state.speculative) {
    if (!constant && negative != (number.number.full.smax < 0)) return refuse(Reason::Bounds);
    to_the_left_ = adds() == negative;
    TRY(const std::uint32_t limit, limit_of(pointer));
    const std::uint8_t masking =
        static_cast<std::uint8_t>((negative ? PointerMask::Negative : 0) | (constant ? PointerMask::Constant : 0) |
                                  (number_is_destination_ ? PointerMask::Destination : PointerMask::Source));
    if (!constant) walk_.explores_alu_limits = true;
    TRY_VOID(choose(masking, limit, masking_, limit_));
  }
  // A known number is written into the instruction, and needs no mask.
  return constant ? Checked{} : fork_with_zero(pointer);
}

Checked PointerMasking::finish() {
  TRY_VOID(check_pointer_in_object(walk_, insn_));
  if (!is_needed() || walk_.state.speculative) return {};
  TRY(const std::uint32_t limit, limit_of(walk_.peek(insn_.dst)));
  // The window is as narrow as the move that was seen.
  const auto moved = static_cast<std::uint32_t>(std::abs(static_cast<std::int32_t>(limit_ - limit)));
  InsnInfo& info = walk_.insn_info();
  return choose(masking_, moved, info.alu_masking, info.alu_limit);
}

Checked note_number_sum(Walk& walk, const isa::Insn& insn) {
  if (!is_sum(insn) || walk.bypasses_spec_v1 || !is_by_register(insn)) return {};
  InsnInfo& info = walk.insn_info();
  if (info.alu_masking != 0 && (info.alu_masking != PointerMask::Nothing || info.alu_limit != 0))
    return walk.reject(EACCES, "R{} tried to {} from different maps, paths or scalars, {}",
                       static_cast<unsigned>(insn.dst), (insn.code & kOperation) == kAdd ? "add" : "sub", kProhibited);
  info.alu_masking = PointerMask::Nothing;
  info.alu_limit = 0;
  return {};
}

Checked check_pointer_in_object(Walk& walk, const isa::Insn& insn) {
  if (walk.bypasses_spec_v1) return {};
  const unsigned number = insn.dst;
  const Register& pointer = walk.peek(number);
  if (pointer.traits != 0) return {};
  if (pointer.kind == Kind::Stack) {
    const std::int64_t at = pointer.offset + static_cast<std::int64_t>(pointer.number.bits.value);
    if (!pointer.number.is_constant())
      return walk.reject(EACCES, "R{} variable stack access prohibited for !root, var_off={} off={}", number,
                         text_of(pointer.number.bits), at);
    if (at >= 0 || at < -std::int64_t{isa::kStackBytes})
      return walk.reject(EACCES, "R{} stack pointer arithmetic goes out of range, prohibited for !root; off={}", number,
                         at);
  }
  if (pointer.kind == Kind::MapValue && !check_map_value_access(walk, number, pointer.offset, 1, false, true)) {
    walk.say("{}", walk.rejection->message);
    return walk.reject(EACCES, "R{} pointer arithmetic of map value goes out of range, prohibited for !root", number);
  }
  return {};
}

}  // namespace skep::verifier
