// The loop: one handler for each row of isa/opcodes.def, made by its form; dispatch jumps from handler to handler.
#include <algorithm>
#include <bit>
#include <tuple>
#include <type_traits>

#include "base/bytes.h"
#include "exec/packet_view.h"
#include "exec/tail_call.h"
#include "interp/claims.h"
#include "interp/machine.h"
#include "interp/objects.h"
#include "isa/eval.h"
#include "isa/op.h"
#include "spec/helper_access.h"
#include "spec/kfuncs.h"

// Labels as values are what makes dispatch cheap; all compilers we build with have them.
#pragma GCC diagnostic ignored "-Wpedantic"

namespace skep::interp {
namespace {

using exec::Failure;
using isa::AluOp;
using isa::AtomicOp;
using isa::JumpOp;

// What the checked policy leaves in r1 to r5 after a call, so that a use of them cannot go unnoticed.
constexpr std::uint64_t kClobbered = 0xdead'5ce9'dead'5ce9;
constexpr std::int32_t kForEachMapElem = std::to_underlying(spec::HelperId::for_each_map_elem);
constexpr std::int32_t kUserRingbufDrain = std::to_underlying(spec::HelperId::user_ringbuf_drain);

template <unsigned Bits>
using Unsigned = std::conditional_t<
    Bits == 8, std::uint8_t,
    std::conditional_t<Bits == 16, std::uint16_t, std::conditional_t<Bits == 32, std::uint32_t, std::uint64_t>>>;

constexpr std::uint64_t extended(std::int64_t imm) { return static_cast<std::uint64_t>(imm); }

template <unsigned Bits>
std::uint64_t load_bits(std::uint64_t address) {
  return load<Unsigned<Bits>>(reinterpret_cast<const void*>(address));
}
template <unsigned Bits>
void store_bits(std::uint64_t address, std::uint64_t value) {
  store(reinterpret_cast<void*>(address), static_cast<Unsigned<Bits>>(value));
}

// What memory held before: the processor's own operations where there are some, else isa::eval in a loop.
template <unsigned Bits>
[[gnu::always_inline]] inline std::uint64_t exchange(AtomicOp op, std::uint64_t address, std::uint64_t operand,
                                                     std::uint64_t r0) {
  using T = Unsigned<Bits>;
  T* at = reinterpret_cast<T*>(address);
  const T value = static_cast<T>(operand);
  if (op == AtomicOp::Add) return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST);
  if (op == AtomicOp::Xchg) return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);
  T old = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &old, static_cast<T>(isa::eval<Bits>(op, old, operand, r0)), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
  }
  return old;
}

// The helper that the call at `pc` names, as programs of this type see it; null when spec has none.
const spec::Helper* called_helper(const Machine& machine, const Code* pc, const std::uint64_t* r) {
  const exec::Image& image = machine.program->image();
  const isa::Insn& insn = image.insns[machine.program->index_of(pc, machine.mode)];
  if (isa::decode(insn) == isa::Op::CallKfunc) return nullptr;
  const bool by_register = isa::decode(insn) == isa::Op::CallReg;
  const auto* row =
      spec::find_helper(by_register ? static_cast<std::uint32_t>(r[insn.dst]) : static_cast<std::uint32_t>(insn.imm));
  return row == nullptr ? nullptr : &spec::signature(image.type, row->id);
}

// r1 to r5 after a call, those that the helper leaves alone apart.
void clobber(const spec::Helper* helper, std::uint64_t* r) {
  const bool spares = helper != nullptr && helper->is(spec::HelperTrait::Fastcall);
  const std::size_t last = spares ? helper->arg_count() : spec::kMaxHelperArgs;
  std::fill_n(r + 1, last, kClobbered);
}

// Of the iterator that a kernel function is given in r1 and writes; 0: it is given none.
std::uint32_t iterator_bytes(const Machine& machine, const Code* pc) {
  const auto& places = machine.program->image().relocations;
  const auto place =
      std::ranges::lower_bound(places, machine.program->index_of(pc, machine.mode), {}, &exec::Relocation::insn);
  return spec::kfuncs()[place->id].iterator_bytes;
}

// What the load at `pc` finds at `address`, which may be no memory: zero then.
std::uint64_t probed(const Machine& machine, const Code* pc, std::uint64_t address) {
  const isa::Op op = isa::decode(machine.program->image().insns[machine.program->index_of(pc, machine.mode)]);
  const unsigned bits = isa::bits(op);
  std::uint64_t found = 0;
  if (const exec::HelperBody probe = machine.program->probe(); probe != nullptr)
    probe(machine.call, reinterpret_cast<std::uint64_t>(&found), bits / 8, address, 0, 0);
  if (isa::form(op) != isa::Form::LoadSx) return found;
  const unsigned above = 64 - bits;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(found << above) >> above);
}

template <isa::Form kForm, unsigned Bits, auto kOperation>
void access(const isa::Insn& insn, std::uint64_t address, std::uint64_t* r) {
  using enum isa::Form;
  if constexpr (kForm == Load) r[insn.dst] = load_bits<Bits>(address);
  if constexpr (kForm == LoadSx) r[insn.dst] = static_cast<std::uint64_t>(isa::sext<Bits>(load_bits<Bits>(address)));
  if constexpr (kForm == StoreImm) store_bits<Bits>(address, extended(insn.imm));
  if constexpr (kForm == StoreReg) store_bits<Bits>(address, r[insn.src]);
  if constexpr (kForm == Atomic) exchange<Bits>(kOperation, address, r[insn.src], 0);
  if constexpr (kForm == AtomicFetch) r[insn.src] = exchange<Bits>(kOperation, address, r[insn.src], 0);
  if constexpr (kForm == AtomicCmpXchg) r[0] = exchange<Bits>(kOperation, address, r[insn.src], r[0]);
  if constexpr (kForm == LoadAcquire)
    r[insn.dst] = __atomic_load_n(reinterpret_cast<const Unsigned<Bits>*>(address), __ATOMIC_ACQUIRE);
  if constexpr (kForm == StoreRelease)
    __atomic_store_n(reinterpret_cast<Unsigned<Bits>*>(address), static_cast<Unsigned<Bits>>(r[insn.src]),
                     __ATOMIC_RELEASE);
}

// A load, store or atomic of the arena's memory: beyond its end loads find zero, and nothing else happens.
void access_arena(const Machine& machine, const Code* pc, std::uint64_t* r) {
  using enum isa::Form;
  const spec::ArenaPlace& arena = machine.program->arena();
  const isa::Insn& insn = machine.program->image().insns[machine.program->index_of(pc, machine.mode)];
  const isa::Op op = isa::decode(insn);
  const isa::Form form = isa::form(op);
  const bool only_loads = form == Load || form == LoadSx || form == LoadAcquire;
  const std::uint64_t offset = arena.offset_of(r[only_loads ? insn.src : insn.dst] + extended(insn.off));
  if (offset > arena.bytes - isa::access_bytes(op)) {
    if (only_loads) r[insn.dst] = 0;
    return;
  }
  const auto address = reinterpret_cast<std::uint64_t>(arena.pages + offset);
  switch (op) {
#define OP(name, code, select, key, form, bits, sub, group, dialect, text) \
  case isa::Op::name: return access<isa::Form::form, bits, sub>(insn, address, r);
#include "isa/opcodes.def"
    case isa::Op::Invalid: return;
  }
}

template <Mode mode>
void switch_program(Machine& machine, const Program& program) {
  machine.program = &program;
  machine.call.program = &program;
  if constexpr (mode == Mode::Checked) {
    machine.objects->set_program(program);
    machine.facts = program.image().facts.get();
  }
}

// A frame below the current one, with nothing on its stack.
template <Mode mode>
Frame& push_frame(Machine& machine) {
  Frame& frame = machine.frames[++machine.depth];
  frame.may_goto = kMayGotoLoops;
  frame.program = machine.program;
  if constexpr (mode == Mode::Checked) machine.objects->enter_frame(machine.depth);
  return frame;
}

template <Mode mode>
void pop_frame(Machine& machine) {
  const Frame& frame = machine.frames[machine.depth--];
  if (frame.program != machine.program) [[unlikely]]
    switch_program<mode>(machine, *frame.program);
  if constexpr (mode == Mode::Checked) machine.objects->leave_to_frame(machine.depth);
}

// Runs `machine` from `pc` until the frame it starts in returns. Without a machine: the table of handlers.
template <Mode mode>
std::uint64_t loop(Machine* machine, const Code* pc, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3,
                   std::uint64_t r4, std::uint64_t r5) noexcept;

// Call::callback while a program of this mode runs.
template <Mode mode>
std::uint64_t callback(exec::Call& call, std::uint64_t function, std::uint64_t a1, std::uint64_t a2, std::uint64_t a3,
                       std::uint64_t a4, std::uint64_t a5) noexcept {
  constexpr std::uint64_t kNoMore = 1;  // what ends the helper's own loop
  Machine& machine = *static_cast<Machine*>(call.engine);
  if (call.stopped) return kNoMore;
  const Code* const at = machine.at;
  const auto start = machine.program->function(function);
  if (!start || machine.depth + 1 >= machine.frame_limit) {
    stop(machine, at, Failure::Kind::BadCall, start ? "callbacks nested too deep" : "the callback is no function");
    return kNoMore;
  }
  maps::Map* map = nullptr;
  if constexpr (mode == Mode::Checked) {
    map = machine.objects->argument_map();
    const std::int32_t helper = machine.program->image().insns[machine.program->index_of(at, mode)].imm;
    if (helper == kForEachMapElem) machine.objects->lend_element(a2, a3);
    if (helper == kUserRingbufDrain) machine.objects->lend_dynptr(a1);
  }
  push_frame<mode>(machine);
  const std::uint64_t result = loop<mode>(&machine, machine.program->code(mode) + *start, a1, a2, a3, a4, a5);
  if (call.stopped) return kNoMore;
  pop_frame<mode>(machine);
  machine.at = at;
  if constexpr (mode == Mode::Checked) machine.objects->set_argument_map(map);
  return result;
}

#define STOP(kind, object)                                  \
  do {                                                      \
    machine->budget = budget;                               \
    return stop(*machine, pc, Failure::Kind::kind, object); \
  } while (false)
#define STOP_FAULT                   \
  do {                               \
    machine->budget = budget;        \
    return stop_fault(*machine, pc); \
  } while (false)
// The checked policy compares what registers hold with what is claimed of them.
#define CHECK_FACTS                                                                  \
  do {                                                                               \
    if constexpr (mode == Mode::Checked)                                             \
      if (machine->facts != nullptr && !claims_hold(*machine, pc, r)) [[unlikely]] { \
        machine->budget = budget;                                                    \
        return stop_refuted(*machine, pc, r);                                        \
      }                                                                              \
  } while (false)
#define DISPATCH                         \
  do {                                   \
    if constexpr (mode != Mode::Plain) { \
      if (budget == 0) [[unlikely]]      \
        STOP(Budget, "");                \
      --budget;                          \
    }                                    \
    CHECK_FACTS;                         \
    goto * pc->handler;                  \
  } while (false)
#define NEXT(slots) \
  do {              \
    pc += (slots);  \
    DISPATCH;       \
  } while (false)

// The checked policy's questions before an access of b bits.
#define CHECK(question, b, address)                                         \
  do {                                                                      \
    if constexpr (mode == Mode::Checked)                                    \
      if (!machine->objects->question((address), (b) / 8, pc)) [[unlikely]] \
        STOP_FAULT;                                                         \
  } while (false)
#define CHECK_ATOMIC(b, address) \
  do {                           \
    CHECK(aligned, b, address);  \
    CHECK(read, b, address);     \
    CHECK(write, b, address);    \
  } while (false)

#define DST r[pc->is.dst]
#define SRC r[pc->is.src]
#define IMM extended(pc->is.imm)
#define OFF extended(pc->is.off)

// Operands of the two instructions of a pair.
#define A_DST DST
#define A_SRC SRC
#define A_IMM IMM
#define A_OFF OFF
#define B_DST r[pc[1].is.dst]
#define B_SRC r[pc[1].is.src]
#define B_IMM extended(pc[1].is.imm)
#define B_OFF extended(pc[1].is.off)
#define B_JUMP NEXT(2 + pc[1].is.off)

// ---- One macro for each form of isa/forms.def: `b` is bits, `op` the AluOp, JumpOp or AtomicOp.
#define FORM_AluImm(b, op)          \
  DST = isa::eval<b>(op, DST, IMM); \
  NEXT(1);
#define FORM_AluReg(b, op)          \
  DST = isa::eval<b>(op, DST, SRC); \
  NEXT(1);
#define FORM_MovImm(b, op) FORM_AluImm(b, op)
#define FORM_MovReg(b, op) FORM_AluReg(b, op)
#define FORM_AluUnary(b, op)      \
  DST = isa::eval<b>(op, DST, 0); \
  NEXT(1);
#define FORM_CastAddrSpace(b, op)                                                   \
  DST = machine->program->arena().user_address_of(static_cast<std::uint32_t>(SRC)); \
  NEXT(1);
#define FORM_LoadImm64(b, op) \
  DST = pc[1].value;          \
  NEXT(2);
#define FORM_Load(b, op)         \
  CHECK(read, b, SRC + OFF);     \
  DST = load_bits<b>(SRC + OFF); \
  NEXT(1);
#define FORM_LoadSx(b, op)                                                 \
  CHECK(read, b, SRC + OFF);                                               \
  DST = static_cast<std::uint64_t>(isa::sext<b>(load_bits<b>(SRC + OFF))); \
  NEXT(1);
#define FORM_StoreImm(b, op)     \
  CHECK(write, b, DST + OFF);    \
  store_bits<b>(DST + OFF, IMM); \
  NEXT(1);
#define FORM_StoreReg(b, op)     \
  CHECK(write, b, DST + OFF);    \
  store_bits<b>(DST + OFF, SRC); \
  NEXT(1);
#define FORM_PacketAbs(b, op) \
  packet_at = pc->is.imm;     \
  LOAD_PACKET(b);
#define FORM_PacketInd(b, op)                                                   \
  packet_at = static_cast<std::int32_t>(static_cast<std::uint32_t>(SRC + IMM)); \
  LOAD_PACKET(b);
#define LOAD_PACKET(b)                                                                            \
  if (const auto value = exec::load_packet(machine->call.context, packet_at, b / 8)) [[likely]] { \
    r[0] = *value;                                                                                \
    NEXT(1);                                                                                      \
  }                                                                                               \
  r[0] = 0;                                                                                       \
  goto leave;
#define FORM_Atomic(b, op)            \
  CHECK_ATOMIC(b, DST + OFF);         \
  exchange<b>(op, DST + OFF, SRC, 0); \
  NEXT(1);
#define FORM_AtomicFetch(b, op)             \
  CHECK_ATOMIC(b, DST + OFF);               \
  SRC = exchange<b>(op, DST + OFF, SRC, 0); \
  NEXT(1);
#define FORM_AtomicCmpXchg(b, op)               \
  CHECK_ATOMIC(b, DST + OFF);                   \
  r[0] = exchange<b>(op, DST + OFF, SRC, r[0]); \
  NEXT(1);
#define FORM_LoadAcquire(b, op)                                                             \
  CHECK(aligned, b, SRC + OFF);                                                             \
  CHECK(read, b, SRC + OFF);                                                                \
  DST = __atomic_load_n(reinterpret_cast<const Unsigned<b>*>(SRC + OFF), __ATOMIC_ACQUIRE); \
  NEXT(1);
#define FORM_StoreRelease(b, op)                                                                                \
  CHECK(aligned, b, DST + OFF);                                                                                 \
  CHECK(write, b, DST + OFF);                                                                                   \
  __atomic_store_n(reinterpret_cast<Unsigned<b>*>(DST + OFF), static_cast<Unsigned<b>>(SRC), __ATOMIC_RELEASE); \
  NEXT(1);
#define FORM_Goto(b, op) NEXT(1 + pc->is.off);
#define FORM_GotoLong(b, op) NEXT(1 + pc->is.imm);
#define FORM_MayGoto(b, op)                                                \
  if (machine->frames[machine->depth].may_goto == 0) NEXT(1 + pc->is.off); \
  --machine->frames[machine->depth].may_goto;                              \
  NEXT(1);
#define FORM_JumpImm(b, op)                              \
  if (isa::holds<b>(op, DST, IMM)) NEXT(1 + pc->is.off); \
  NEXT(1);
#define FORM_JumpReg(b, op)                              \
  if (isa::holds<b>(op, DST, SRC)) NEXT(1 + pc->is.off); \
  NEXT(1);
#define FORM_CallHelper(b, op)                       \
  body = std::bit_cast<exec::HelperBody>(pc->value); \
  goto call_helper;
#define FORM_CallReg(b, op)             \
  body = machine->program->helper(DST); \
  goto call_helper;
#define FORM_CallKfunc(b, op)                                                                                          \
  body = std::bit_cast<exec::HelperBody>(pc->value);                                                                   \
  if (!body) STOP(BadCall, "this kernel function has no body here");                                                   \
  if constexpr (mode == Mode::Checked)                                                                                 \
    for (std::uint32_t at = 0, bytes = iterator_bytes(*machine, pc); at < bytes; at += 8) CHECK(write, 64, r[1] + at); \
  goto call_helper;
#define FORM_CallLocal(b, op) goto call_local;
#define FORM_Exit(b, op) goto leave;

template <Mode mode>
std::uint64_t loop(Machine* machine, const Code* pc, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3,
                   std::uint64_t r4, std::uint64_t r5) noexcept {
  static constexpr const void* const kTable[kHandlers] = {
      &&L_Invalid,
#define OP(name, ...) &&L_##name,
#include "isa/opcodes.def"
      &&L_MissingHelper, &&L_TailCall, &&L_ProbedLoad, &&L_ArenaAccess,
#define FUSION(name, ...) &&L_##name,
#include "interp/fusions.def"
  };
  if (!machine) return reinterpret_cast<std::uint64_t>(&kTable);

  std::uint64_t r[isa::kRegisters] = {0, r1, r2, r3, r4, r5, 0, 0, 0, 0, machine->frame_pointer()};
  const unsigned base = machine->depth;
  [[maybe_unused]] std::uint64_t budget = machine->budget;
  std::int64_t packet_at = 0;
  exec::HelperBody body = nullptr;
  [[maybe_unused]] const spec::Helper* helper = nullptr;
  DISPATCH;

#define OP(name, code, select, key, form, bits, sub, group, dialect, text) L_##name : FORM_##form(bits, sub)
#include "isa/opcodes.def"

// Only the plain policy fuses: in the others these labels are all one.
#define FUSION(name, first, second, condition, ...) \
  L_##name : if constexpr (mode == Mode::Plain) {   \
    __VA_ARGS__;                                    \
    NEXT(2);                                        \
  }
#include "interp/fusions.def"
  goto L_Invalid;

call_helper:
  if (!body) [[unlikely]]
    goto L_MissingHelper;
  if constexpr (mode == Mode::Checked) {
    helper = called_helper(*machine, pc, r);
    if (helper && !machine->objects->check_arguments(*helper, r)) STOP_FAULT;
  }
  machine->at = pc;
  machine->budget = budget;
  r[0] = body(machine->call, r[1], r[2], r[3], r[4], r[5]);
  if (machine->call.stopped) [[unlikely]]
    return 0;
  budget = machine->budget;
  if constexpr (mode == Mode::Checked) {
    if (helper) machine->objects->take_result(*helper, r, r[0]);
    clobber(helper, r);
  }
  NEXT(1);

call_local: {
  if (machine->depth + 1 >= machine->frame_limit) [[unlikely]]
    STOP(BadCall, "calls nested too deep");
  Frame& frame = push_frame<mode>(*machine);
  frame.back = pc + 1;
  frame.saved = {r[6], r[7], r[8], r[9], r[10]};
  r[10] = machine->frame_pointer();
  NEXT(1 + pc->is.imm);
}

leave:
  if (machine->depth == base) {
    machine->budget = budget;
    return r[0];
  }
  {
    const Frame& frame = machine->frames[machine->depth];
    pop_frame<mode>(*machine);
    pc = frame.back;
    std::tie(r[6], r[7], r[8], r[9], r[10]) = std::tuple_cat(frame.saved);
    DISPATCH;
  }

L_TailCall: {
  if constexpr (mode == Mode::Checked)
    if (!machine->objects->check_arguments(spec::helper(spec::HelperId::tail_call), r)) STOP_FAULT;
  const exec::Executable* target = exec::tail_target(machine->call, r[2], r[3]);
  if (!target) NEXT(1);
  if (!target->same_engine(*machine->program)) {
    machine->budget = budget;
    r[0] = run_other(*machine, *target);
    if (machine->call.stopped) return 0;
    budget = machine->budget;
    goto leave;
  }
  switch_program<mode>(*machine, *static_cast<const Program*>(target));
  if constexpr (mode == Mode::Checked) machine->objects->enter_frame(machine->depth);
  machine->frames[machine->depth].may_goto = kMayGotoLoops;
  pc = machine->program->code(mode);
  DISPATCH;
}

L_ProbedLoad:
  DST = probed(*machine, pc, SRC + OFF);
  NEXT(1);
L_ArenaAccess:
  access_arena(*machine, pc, r);
  NEXT(1);

L_MissingHelper:
  STOP(BadCall, "this helper has no body here");
L_Invalid:
  STOP(BadInstruction, "");
}

// What the checked policy keeps besides the machine.
template <Mode mode, unsigned Frames>
struct Tracking {
  Tracking(Machine&, const Program&) noexcept {}
};
template <unsigned Frames>
struct Tracking<Mode::Checked, Frames> {
  Tracking(Machine& machine, const Program& program) noexcept : objects(machine.call, machine.stacks, written) {
    objects.set_program(program);
    machine.objects = &objects;
    machine.facts = program.image().facts.get();
  }
  std::uint64_t written[Frames * Objects::kFrameWords];
  Objects objects;
};

template <Mode mode, unsigned Frames>
std::uint64_t run_frames(const Program& program, exec::Call& call) noexcept {
  Frame frames[Frames];
  alignas(16) std::byte stacks[Frames * std::size_t{isa::kStackBytes}];
  Machine machine{
      .call = call, .program = &program, .mode = mode, .frame_limit = Frames, .frames = frames, .stacks = stacks};
  [[maybe_unused]] Tracking<mode, Frames> tracking(machine, program);
  frames[0].may_goto = kMayGotoLoops;
  machine.budget = call.budget ? call.budget : ~std::uint64_t{0};
  const auto outer = std::pair(call.callback, call.engine);
  call.callback = callback<mode>;
  call.engine = &machine;
  const std::uint64_t length = program.image().context == exec::ContextKind::Memory ? call.context_bytes : 0;
  const std::uint64_t result =
      loop<mode>(&machine, program.code(mode), reinterpret_cast<std::uint64_t>(call.context), length, 0, 0, 0);
  std::tie(call.callback, call.engine) = outer;
  if (call.budget) call.budget = machine.budget;
  return result;
}

template <Mode mode>
std::uint64_t run(const Program& program, exec::Call& call) noexcept {
  return program.needs_many_frames() ? run_frames<mode, kManyFrames>(program, call)
                                     : run_frames<mode, isa::kMaxFrames>(program, call);
}

template <Mode mode>
const void* const* table() noexcept {
  return reinterpret_cast<const void* const*>(loop<mode>(nullptr, nullptr, 0, 0, 0, 0, 0));
}

}  // namespace

const void* const* handlers(Mode mode) noexcept {
  switch (mode) {
    case Mode::Plain: return table<Mode::Plain>();
    case Mode::Counted: return table<Mode::Counted>();
    case Mode::Checked: return table<Mode::Checked>();
  }
  return nullptr;
}

std::uint64_t enter_plain(const exec::Executable& self, exec::Call& call) noexcept {
  const auto& program = static_cast<const Program&>(self);
  return call.budget ? run<Mode::Counted>(program, call) : run<Mode::Plain>(program, call);
}

std::uint64_t enter_checked(const exec::Executable& self, exec::Call& call) noexcept {
  return run<Mode::Checked>(static_cast<const Program&>(self), call);
}

}  // namespace skep::interp
