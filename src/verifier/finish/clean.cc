// The program that runs: without what the walk has shown to be superfluous.
#include <algorithm>
#include <array>
#include <bit>

#include "isa/op.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/finish/finish.h"
#include "verifier/finish/patch.h"
#include "verifier/finish/translate.h"
#include "verifier/prepare/code.h"

namespace skep::verifier {
namespace {

using isa::Insn;

constexpr bool is_nop(const Insn& insn) { return insn.code == code::kGoto && insn.off == 0; }

// A program on its way, with the index in the input of each instruction.
struct Draft {
  std::vector<Insn> insns;
  std::vector<std::uint32_t> origins;
};

// False when a jump became too long, which shorter programs never have.
bool apply(Draft& draft, Patch& patch) {
  if (patch.is_empty()) return true;
  auto insns = patch.done();
  if (!insns) return false;
  std::vector<std::uint32_t> origins;
  origins.reserve(insns->size());
  for (const std::uint32_t from : patch.origins()) origins.push_back(draft.origins[from]);
  // The second slot of a constant stands for itself.
  for (std::size_t i = 1; i < origins.size(); ++i)
    if (code::is_ld_imm64((*insns)[i - 1])) ++origins[i];
  draft = {*std::move(insns), std::move(origins)};
  return true;
}

// What the walk says of each instruction, by its place in the draft.
class Cleaner {
 public:
  Cleaner(const Walk& walk, Draft& draft) : walk_(walk), draft_(draft) {}

  bool run() {
    Patch dead(draft_.insns);
    for (std::size_t i = 0; i < draft_.insns.size(); i += code::slots(draft_.insns[i])) drop_or_wire(dead, i);
    if (!apply(draft_, dead)) return false;
    Patch nops(draft_.insns);
    for (std::size_t i = 0; i < draft_.insns.size(); i += code::slots(draft_.insns[i]))
      if (is_nop(draft_.insns[i])) nops.remove(i);
    return apply(draft_, nops);
  }

 private:
  bool is_seen(std::size_t at) const { return at >= walk_.info.size() || walk_.info[at].is_seen; }

  void drop_or_wire(Patch& patch, std::size_t at) const {
    const Insn& insn = draft_.insns[at];
    if (!is_seen(at)) return patch.remove(at);
    if (!code::is_conditional(insn)) return;
    const Insn jump = isa::encode(isa::Op::Goto);
    if (!is_seen(at + 1)) return patch.replace(at, {&jump, 1}, 0);
    if (!is_seen(static_cast<std::size_t>(code::target(insn, at)))) patch.remove(at);
  }

  const Walk& walk_;
  Draft& draft_;
};

// Dead code of those who may not have it removed: nobody comes here, not even by speculation.
void trap(const Walk& walk, Draft& draft) {
  Insn loop = isa::encode(isa::Op::Goto);
  loop.off = -1;
  for (std::size_t i = 0; i < draft.insns.size(); ++i) {
    if (walk.info[i].is_seen) {
      i += code::slots(draft.insns[i]) - 1;
    } else {
      draft.insns[i] = loop;
    }
  }
}

// Stores and loads around calls that leave the registers alone become nothing.
void drop_fastcall_spills(const Walk& walk, Draft& draft) {
  const Insn nop = isa::encode(isa::Op::Goto);
  for (std::size_t i = 0; i < draft.insns.size(); ++i)
    for (std::size_t j = 1; j <= walk.info[i].fastcall_spills; ++j) draft.insns[i - j] = draft.insns[i + j] = nop;
}

// A tail call through an array of the unprivileged: its index, all of the register, is compared and masked first.
constexpr unsigned kIndexRegister = 3;
std::array<Insn, 3> guarded_tail_call(const Insn& call, std::uint32_t entries) {
  Insn beyond = isa::encode(isa::Op::JGe64Imm), mask = isa::encode(isa::Op::And32Imm);
  beyond.dst = mask.dst = kIndexRegister;
  beyond.off = 2;
  beyond.imm = static_cast<std::int32_t>(entries);
  mask.imm = static_cast<std::int32_t>(std::bit_ceil(entries) - 1);
  return {beyond, mask, call};
}

bool is_tail_call(const Insn& insn) {
  return code::calls_helper(insn, static_cast<std::int32_t>(spec::HelperId::tail_call));
}

Checked guard_tail_calls(Walk& walk, Draft& draft) {
  Patch guards(draft.insns);
  for (std::size_t i = 0; i < draft.insns.size(); ++i) {
    walk.index = draft.origins[i];
    const InsnInfo& info = walk.insn_info();
    if (!is_tail_call(draft.insns[i]) || !info.is_map_guarded) continue;
    if (info.map == InsnInfo::kSeveral) return walk.reject(EINVAL, "tail_call abusing map_ptr");
    guards.replace(i, guarded_tail_call(draft.insns[i], walk.map(info.map - 1).spec.max_entries));
  }
  return apply(draft, guards) ? Checked{} : walk.reject(ERANGE, "");
}

// The register of which the instruction defines the lower half, where nobody relies on the upper one being zero.
std::optional<unsigned> with_free_upper_half(const Insn& insn, const InsnInfo& info) {
  const isa::Op op = isa::decode(insn);
  const isa::RegisterSet written = isa::writes(op, insn);
  if (info.defines_full || info.zero_extends || isa::is_jump(op) || isa::is_call(op) || !std::has_single_bit(written))
    return std::nullopt;
  if (info.accessed == Kind::Context) return std::nullopt;  // its load may become a wider one
  return std::countr_zero(written);
}

// BPF_F_TEST_RND_HI32: whoever wrongly relied on such an upper half would be found out. Where Linux shifts the number
// into place in a register of its engines, two byte swaps do here what needs none.
bool fill_upper_halves(const Walk& walk, Draft& draft) {
  constexpr std::uint32_t kOdd = 0x9e37'79b9, kPositive = 0x7fff'ffff;
  Patch filled(draft.insns);
  for (std::size_t i = 0; i < draft.insns.size(); i += code::slots(draft.insns[i])) {
    const auto reg = with_free_upper_half(draft.insns[i], walk.info[draft.origins[i]]);
    if (!reg) continue;
    Insn swap = isa::encode(isa::Op::Swap64), number = isa::encode(isa::Op::Or64Imm);
    swap.dst = number.dst = *reg & 0xf;
    number.imm = static_cast<std::int32_t>((static_cast<std::uint32_t>(i + 1) * kOdd & kPositive) | 1);
    filled.replace(i, std::array{draft.insns[i], swap, number, swap});
  }
  return apply(draft, filled);
}

// Pointers into an arena have 32 bits, which is what becomes of users' addresses and of operations on them.
void narrow_to_arena(const Walk& walk, Draft& draft) {
  const bool converts = (walk.input.maps[*walk.arena].spec.flags & spec::kNoUserConv) == 0;
  for (std::size_t i = 0; i < draft.insns.size(); i += code::slots(draft.insns[i])) {
    Insn& insn = draft.insns[i];
    if (walk.info[draft.origins[i]].narrows) insn.code = (insn.code & ~code::kClassMask & 0xff) | code::kAlu32;
    const bool is_cast = isa::decode(insn) == isa::Op::CastAddrSpace;
    if (!is_cast || (insn.imm == isa::kToUser && converts)) continue;
    const Insn cast = insn;
    insn = isa::encode(isa::Op::Mov32Reg);
    insn.dst = cast.dst, insn.src = cast.src;
  }
}

void name_functions(const Walk& walk, spec::VerifiedProgram& program) {
  for (std::uint32_t i = 0; i < walk.subprogs.size(); ++i) {
    const Subprog& subprog = walk.subprogs[i];
    const auto first = std::ranges::lower_bound(program.origins, subprog.start);
    if (first == program.origins.end() || *first >= subprog.end) continue;  // all of it went
    program.functions.push_back({.start = static_cast<std::uint32_t>(first - program.origins.begin()),
                                 .given = i,
                                 .name = subprog.name,
                                 .stack_depth = subprog.stack_depth,
                                 .is_global = subprog.is_global,
                                 .changes_packet = subprog.changes_packet,
                                 .is_exception_callback = subprog.is_exception_callback});
  }
}

// Where Linux looks for a function that went: as far behind what went before it, without a gap, as it was.
std::size_t place_of_absent(const Walk& walk, const spec::VerifiedProgram& program, std::size_t start) {
  std::size_t gap = 0;
  for (std::size_t i = 0; i < start; i += code::slots(walk.input.insns[i]))
    if (walk.info[i].is_seen) gap = i + code::slots(walk.input.insns[i]);
  const auto behind = std::ranges::lower_bound(program.origins, gap);
  return static_cast<std::size_t>(behind - program.origins.begin()) + (start - gap);
}

// The address of a function that went, as nobody calls it, may still be taken. Linux gives the program up where it
// finds no function at that place, unless none is left but main.
Checked settle_function_addresses(Walk& walk, spec::VerifiedProgram& program) {
  for (std::size_t i = 0; i < program.insns.size(); i += code::slots(program.insns[i])) {
    if (isa::decode(program.insns[i]) != isa::Op::LdFunc) continue;
    const std::size_t origin = program.origins[i];
    const std::size_t start = origin + static_cast<std::size_t>(walk.input.insns[origin].imm) + 1;
    if (walk.info[start].is_seen) continue;
    const std::size_t place = place_of_absent(walk, program, start);
    if (std::ranges::find(program.functions, place, &spec::VerifiedFunction::start) != program.functions.end())
      continue;
    if (program.functions.size() > 1)
      return walk.rules == Rules::Linux612
                 ? walk.reject(EFAULT, "verifier bug. No program starts at insn {}", place)
                 : walk.reject(EFAULT, "verifier bug: No program to jit at insn {} (subprog < 0)", place);
    program.insns[i].src = 0, program.insns[i].imm = 0;  // a number
  }
  return {};
}

Checked clean(Walk& walk, spec::VerifiedProgram& program) {
  Draft draft{{walk.input.insns.begin(), walk.input.insns.end()}, {}};
  for (std::uint32_t i = 0; i < draft.insns.size(); ++i) draft.origins.push_back(i);
  drop_fastcall_spills(walk, draft);
  if (walk.bpf_capable) {
    if (!Cleaner(walk, draft).run()) return walk.reject(ERANGE, "");
  } else {
    trap(walk, draft);
  }
  TRY_VOID(guard_tail_calls(walk, draft));
  if (walk.arena) narrow_to_arena(walk, draft);
  if ((walk.input.flags & spec::kTestRndHi32) != 0 && !fill_upper_halves(walk, draft)) return walk.reject(ERANGE, "");
  program.insns = std::move(draft.insns);
  program.origins = std::move(draft.origins);
  name_functions(walk, program);
  return walk.bpf_capable ? settle_function_addresses(walk, program) : Checked{};
}

}  // namespace

void shrink_stacks(Walk& walk) {
  for (Subprog& subprog : walk.subprogs) {
    const auto first = walk.info.begin() + subprog.start, last = walk.info.begin() + subprog.end;
    const bool shrinks = std::any_of(first, last, [](const InsnInfo& info) { return info.fastcall_spills != 0; });
    if (shrinks && !subprog.keeps_fastcall_stack) subprog.stack_depth = subprog.fastcall_stack_offset;
  }
}

namespace {

// Loads and stores of an arena's memory, by instruction.
Checked find_arena_accesses(Walk& walk, spec::VerifiedProgram& program) {
  program.arena = walk.arena;
  for (std::uint32_t i = 0; i < program.insns.size(); ++i) {
    const isa::Op op = isa::decode(program.insns[i]);
    const bool accesses = isa::has(op, isa::kReadsMemory | isa::kWritesMemory);  // others may have come of its load
    if (!accesses || walk.info[program.origins[i]].accessed != Kind::Arena) continue;
    if (isa::form(op) == isa::Form::LoadSx && walk.rules == Rules::Linux612)
      return walk.reject(EOPNOTSUPP, "sign extending loads from arena are not supported yet");
    program.arena_accesses.push_back(i);
  }
  return {};
}

// Calls of bpf_loop that Linux makes loops of.
void find_loops(const Walk& walk, spec::VerifiedProgram& program) {
  constexpr auto kLoop = static_cast<std::int32_t>(spec::HelperId::loop);
  for (std::uint32_t i = 0; i < program.insns.size(); ++i) {
    const InsnInfo& info = walk.info[program.origins[i]];
    if (!code::calls_helper(program.insns[i], kLoop) || !info.inlines_loop) continue;
    const auto callback = std::ranges::find(program.functions, info.callback - 1, &spec::VerifiedFunction::given);
    if (callback != program.functions.end()) program.rewrites.loops.push_back({i, callback->start});
  }
}

// Of what one instruction became, the guard is that of the piece that still does what it did. Linux masks the number,
// engines here wait.
void find_guarded(const Walk& walk, const spec::VerifiedProgram& program, spec::Rewrites& rewrites) {
  using Where = spec::Barrier::Where;
  for (std::uint32_t i = 0; i < program.insns.size(); ++i) {
    const std::uint32_t origin = program.origins[i];
    const InsnInfo& info = walk.info[origin];
    if (program.insns[i].code != walk.input.insns[origin].code) continue;
    if (info.alu_masking != 0 && info.alu_masking != spec::PointerMask::Nothing) {
      rewrites.masks.push_back({.insn = i, .how = info.alu_masking, .limit = info.alu_limit});
      rewrites.barriers.push_back({i, Where::Before});
    }
    if (info.needs_nospec) rewrites.barriers.push_back({i, Where::Behind});
  }
}

// Pointers between the kernel's objects may lead nowhere, and a map is no structure of the kernel's here.
void find_loads_of_objects(const Walk& walk, spec::VerifiedProgram& program) {
  const auto is_load = [](const Insn& insn) {
    const isa::Form form = isa::form(isa::decode(insn));
    return form == isa::Form::Load || form == isa::Form::LoadSx;
  };
  for (std::uint32_t i = 0; i < program.insns.size(); ++i) {
    const InsnInfo& info = walk.info[program.origins[i]];
    const bool is_kernels = info.accessed == Kind::Btf && !(info.accessed_traits & kAllocated);
    if (is_kernels && is_load(program.insns[i])) program.probed.push_back(i);
    if (info.accessed == Kind::MapPointer && is_load(program.insns[i])) program.map_fields.push_back(i);
  }
}

// What Linux needs on the stack for its rewrites, which the statistics count in.
void add_stack_of_rewrites(Walk& walk, const spec::VerifiedProgram& program) {
  for (std::size_t i = 0; i < program.functions.size(); ++i) {
    const std::size_t start = program.functions[i].start;
    const bool is_last = i + 1 == program.functions.size();
    const std::size_t end = is_last ? program.insns.size() : program.functions[i + 1].start;
    const auto inside = [&](const spec::InlinedLoop& loop) { return loop.insn >= start && loop.insn < end; };
    std::uint32_t& depth = walk.subprogs[program.functions[i].given].stack_depth;
    if (std::ranges::any_of(program.rewrites.loops, inside)) depth += stack_for_loops(depth);
    const auto counts = [](const Insn& insn) { return insn.code == code::kMayGoto; };
    if (std::ranges::any_of(std::span(program.insns).subspan(start, end - start), counts)) depth += kMayGotoStack;
  }
}

}  // namespace

Checked finish(Walk& walk, spec::VerifiedProgram& program) {
  shrink_stacks(walk);
  TRY_VOID(check_stack_depth(walk));
  TRY_VOID(clean(walk, program));
  find_loops(walk, program);
  find_loads_of_objects(walk, program);
  TRY_VOID(find_arena_accesses(walk, program));
  if (!walk.bypasses_spec_v1 || !walk.bypasses_spec_v4) find_guarded(walk, program, program.rewrites);
  add_stack_of_rewrites(walk, program);
  return {};
}

}  // namespace skep::verifier
