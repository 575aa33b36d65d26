#include "verifier/step/walk.h"

#include <algorithm>

namespace skep::verifier {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kClass = 0x07, kOperation = 0xf0, kSize = 0x18, kMode = 0xe0;
constexpr std::uint8_t kDoubleWord = 0x18, kMemSx = 0x80, kImmediate = 0x00;
constexpr std::uint8_t kCallOperation = 0x80, kEndOperation = 0xd0;
enum Class : std::uint8_t { Ld = 0, Ldx = 1, St = 2, Stx = 3, Alu = 4, Jmp = 5, Jmp32 = 6, Alu64 = 7 };
enum class Use : std::uint8_t { Source, Destination };

// A call's result counts as all of r0; what a local call clobbers is defined by nobody.
bool jump_uses_full(const Insn& insn, Use use) {
  const bool local_call = (insn.code & kOperation) == kCallOperation && insn.src == 1;
  return !local_call || use == Use::Destination;
}

Backward backward(Op op) {
  switch (isa::form(op)) {
    case isa::Form::JumpImm:
    case isa::Form::Goto:
    case isa::Form::GotoLong: return Backward::Nothing;
    case isa::Form::AluUnary:
    case isa::Form::AluImm:
    case isa::Form::AluReg:
    case isa::Form::MovImm:
    case isa::Form::MovReg:
    case isa::Form::Load:
    case isa::Form::LoadSx:
    case isa::Form::LoadImm64: return Backward::Definition;
    default: return Backward::Other;
  }
}

// Whether the instruction uses, or defines, all 64 bits of the register, as Linux decides it; only then must whoever
// defined the lower half have cleared the upper one.
bool uses_full(const Insn& insn, Kind kind, Use use) {
  const bool wide = (insn.code & kSize) == kDoubleWord;
  switch (insn.code & kClass) {
    case Jmp: return jump_uses_full(insn, use);
    case Alu64: return (insn.code & kOperation) != kEndOperation || (insn.imm != 16 && insn.imm != 32);
    case Alu: return (insn.code & kOperation) == kEndOperation && insn.imm == 64;
    case Jmp32: return false;
    case Ldx: return use == Use::Source || wide || (insn.code & kMode) == kMemSx;
    case Stx: return (use == Use::Source && kind != Kind::Scalar) || wide;
    case Ld: return (insn.code & kMode) == kImmediate || use == Use::Source;
    default: return true;
  }
}

}  // namespace

Walk::Walk(const spec::VerifyInput& what, Rules followed)
    : input(what),
      rules(followed),
      bpf_capable(what.rights.bpf),
      may_leak(what.rights.bpf && what.rights.perfmon),
      bypasses_spec_v1(may_leak),
      bypasses_spec_v4(may_leak),
      reads_uninit_stack(may_leak),
      strict_alignment((what.flags & (spec::kStrictAlignment | spec::kAnyAlignment)) == spec::kStrictAlignment),
      names(*this),
      log(what.log_level, what.log_limit, {followed, !what.rights.bpf, names}),
      info(what.insns.size()) {
  for (const spec::MapView& view : what.maps) maps.push_back(&view);
  for (const spec::MapView& view : what.maps)
    if (view.inner != nullptr) maps.push_back(view.inner);
  for (std::size_t i = 0; i < info.size(); ++i) {
    info[i].op = isa::decode(what.insns[i]);
    info[i].backward = backward(info[i].op);
    info[i].reads_full_scalar = uses_full(what.insns[i], Kind::Scalar, Use::Source);
    info[i].reads_full_pointer = uses_full(what.insns[i], Kind::Context, Use::Source);
    info[i].defines_full = uses_full(what.insns[i], Kind::Scalar, Use::Destination);
    info[i].has_stray_fields = isa::stray_fields(info[i].op, what.insns[i]) != 0;
  }
  checkpoints.resize(std::max<std::size_t>(what.insns.size(), 1));
}

std::string Walk::Names::btf_type(std::uint32_t btf, std::uint32_t type) const {
  const btf::Btf* types = btf == spec::kKernelBtf ? walk_.input.kernel_btf : walk_.input.btf;
  return types == nullptr || !types->has(type) || type == 0 ? "" : std::string(types->type(type).name());
}

PrintNames::Map Walk::Names::map(std::uint32_t index) const {
  const spec::MapSpec& spec = walk_.map(index).spec;
  return {spec.name, spec.key_size, spec.value_size};
}

std::optional<std::uint32_t> Walk::inner_map(std::uint32_t at) const noexcept {
  const spec::MapView* inner = maps[at]->inner;
  if (inner == nullptr) return std::nullopt;
  const auto found = std::ranges::find(maps, inner);
  return static_cast<std::uint32_t>(found - maps.begin());
}

std::optional<std::uint32_t> Walk::subprog_at(std::size_t insn) const noexcept {
  const auto found = std::ranges::lower_bound(subprogs, insn, {}, &Subprog::start);
  if (found == subprogs.end() || found->start != insn) return std::nullopt;
  return static_cast<std::uint32_t>(found - subprogs.begin());
}

std::uint32_t Walk::subprog_of(std::size_t insn) const noexcept {
  const auto behind = std::ranges::upper_bound(subprogs, insn, {}, &Subprog::start);
  return static_cast<std::uint32_t>(behind - subprogs.begin()) - 1;
}

// ---- Registers

// No register, one that holds nothing, or the frame pointer.
Checked Walk::check_unusual_read(unsigned number) {
  if (number >= isa::kRegisters) return reject(EINVAL, "R{} is invalid", number);
  changes.registers |= 1U << number;
  if (peek(number).kind == Kind::Unset) return reject(EACCES, "R{} !read_ok", number);
  return {};
}

// All of a register is read of which only the lower half was defined.
void Walk::needs_zero_extension(unsigned number) {
  info[peek(number).half_written_by - 1].zero_extends = true;
  reg(number).half_written_by = 0;
}

Checked Walk::check_write(unsigned number) {
  if (number >= isa::kRegisters) return reject(EINVAL, "R{} is invalid", number);
  changes.registers |= 1U << number;
  if (number == isa::kRegisters - 1) return reject(EACCES, "frame pointer is read only");
  mark_written(number);
  return {};
}

void Walk::clobber_caller_saved() {
  constexpr unsigned kLastArgument = 5;
  Frame& to = mutable_frame();
  for (unsigned number = 0; number <= kLastArgument; ++number) {
    to.registers[number] = Register{};
    mark_written(number);
  }
  changes.registers |= (1U << (kLastArgument + 1)) - 1;
}

void Walk::link(Register& source) noexcept {
  if (!source.is_scalar()) return;
  if (source.is_offset) source.unlink();
  if (source.id == 0 && !source.number.is_constant()) source.id = ++last_id;
}

Checked Walk::settle(Register& value, std::string_view where) {
  const auto why = value.number.contradiction();
  if (!why) return {};
  const Scalar64& s = value.number;
  std::string text = fmt::format(
      "REG INVARIANTS VIOLATION ({}): {} u64=[{:#x}, {:#x}] s64=[{:#x}, {:#x}] u32=[{:#x}, {:#x}] s32=[{:#x}, {:#x}] "
      "var_off=({:#x}, {:#x})",
      where, *why, s.full.umin, s.full.umax, static_cast<std::uint64_t>(s.full.smin),
      static_cast<std::uint64_t>(s.full.smax), s.half.umin, s.half.umax, static_cast<std::uint32_t>(s.half.smin),
      static_cast<std::uint32_t>(s.half.smax), s.bits.value, s.bits.mask);
  if (input.flags & spec::kTestRegInvariants) return reject(EFAULT, "{}", text);
  log.line(text);
  value.number.forget_bounds();
  return {};
}

// ---- History

void Walk::note(const HistoryEntry& what) {
  if (noted_history && histories.is_newest(state.history)) {
    HistoryEntry& entry = histories.at(state.history);
    if (what.accesses_stack) {
      entry.accesses_stack = true;
      entry.stack_frame = what.stack_frame;
      entry.stack_slot = what.stack_slot;
    }
    entry.is_stack_destination |= what.is_stack_destination;
    entry.is_stack_source |= what.is_stack_source;
    if (what.linked.size() != 0) entry.linked = what.linked;
    return;
  }
  HistoryEntry entry = what;
  entry.insn = static_cast<std::uint32_t>(index);
  entry.from = static_cast<std::uint32_t>(previous);
  entry.previous = state.history;
  state.history = histories.add(entry);
  ++state.history_count;
  noted_history = true;
}

void Walk::note_stack_access(unsigned frame_index, std::size_t slot) {
  HistoryEntry entry;
  entry.accesses_stack = true;
  entry.stack_frame = static_cast<std::uint8_t>(frame_index);
  entry.stack_slot = static_cast<std::uint8_t>(slot);
  note(entry);
}

void Walk::note_stack_operands(bool destination, bool source) {
  HistoryEntry entry;
  entry.is_stack_destination = destination;
  entry.is_stack_source = source;
  note(entry);
}

void Walk::note_linked(const LinkedSet& linked) {
  HistoryEntry entry;
  entry.linked = linked;
  note(entry);
}

// ---- Paths

CheckedOf<State*> Walk::fork(std::size_t to, bool speculative) {
  if (forks.size() >= kMaxForks) return reject(E2BIG, "The sequence of {} jumps is too complex.", forks.size() + 1);
  Fork& made = forks.emplace_back();
  made.state = state;
  made.state.speculative |= speculative;
  made.insn = static_cast<std::uint32_t>(to);
  made.from = static_cast<std::uint32_t>(index);
  made.log_size = log.size();
  if (trail) made.trail_size = trail->size();
  histories.seal();
  if (made.state.parent != nullptr) ++made.state.parent->state.branches;
  return &made.state;
}

// ---- References

std::uint32_t Walk::acquire_reference() {
  const std::uint32_t id = new_id();
  const std::uint32_t callback = frame().called_as == CallKind::Callback ? state.top : 0;
  state.references.push_back({id, static_cast<std::uint32_t>(index), callback});
  return id;
}

bool Walk::has_reference(std::uint32_t id) const noexcept {
  return std::ranges::find(state.references, id, &Reference::id) != state.references.end();
}

bool Walk::release_reference(std::uint32_t id) {
  if (!forget_reference(id)) return false;
  state.update_registers([&](const Register& value) { return value.ref_obj_id == id; },
                         [&](Register& value) { value = may_leak ? Register::unknown() : Register{}; });
  return true;
}

bool Walk::forget_reference(std::uint32_t id) {
  const auto found = std::ranges::find(state.references, id, &Reference::id);
  if (found == state.references.end()) return false;
  *found = state.references.back();  // the order shows in the log
  state.references.pop_back();
  return true;
}

}  // namespace skep::verifier
