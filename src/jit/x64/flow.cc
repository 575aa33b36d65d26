// Functions, jumps and calls.
#include <algorithm>
#include <array>
#include <utility>

#include "jit/x64/compiler.h"
#include "spec/helpers.h"
#include "spec/uapi.h"

namespace skep::jit::x64 {
namespace {

constexpr std::int32_t kMayGotoLoops = spec::kMaxLoops;  // iterations that all may_goto of a frame share, as in Linux
constexpr std::int32_t kWord = 8;                        // bytes that a push takes

bool calls_back(std::int32_t helper) {
  const spec::Helper* row = spec::find_helper(static_cast<std::uint32_t>(helper));
  return row == nullptr || row->is(spec::HelperTrait::Calls);
}

}  // namespace

// ---- Functions

void Compiler::function(std::size_t which) {
  function_ = &survey_.functions[which];
  a_.reserve();
  a_.bind(label_of_function(which));
  note_piece(function_->start);
  prologue(*function_);
  if (which == 0) {
    a_.bind(body_);
    main_frame_ = frame_shape();
  }
  instructions(*function_);
  write_cold_calls();
}

void Compiler::instructions(const Function& function) {
  end_ = function.end;
  for (std::uint32_t slot = function.start; slot < function.end;) {
    const ShortLoop* const loop = copies() ? survey_.short_loop_at(slot) : nullptr;
    if (loop == nullptr) {
      slot += instruction(slot);
    } else {
      short_loop(*loop);
      slot = loop->end;
    }
  }
}

std::uint32_t Compiler::instruction(std::uint32_t slot) {
  a_.reserve();
  if (survey_.at(slot, Survey::kHot)) a_.align();
  a_.bind(label_of(slot));
  if (order_.counting == Counting::Yes && survey_.at(slot, Survey::kBlock)) count_block(slot);
  slot_ = slot;
  if (notes_) note_piece(slot);
  barrier(slot, spec::Barrier::Where::Before);
  const std::uint32_t done = write(at(slot));
  barrier(slot_, spec::Barrier::Where::Behind);
  return done;
}

// All but the last copy leave where the jump back is not taken, and go on in the next.
void Compiler::short_loop(const ShortLoop& loop) {
  const std::uint32_t end = std::exchange(end_, loop.jump);
  for (std::uint32_t slot = loop.first; slot < loop.jump;) slot += instruction(slot);
  for (std::uint32_t i = 1; i < loop.times; ++i) {
    leave_loop(loop);
    copy_ = {.first = std::int64_t{loop.first} + 1, .end = loop.end, .labels = a_.label().id};
    for (std::uint32_t slot = loop.first + 1; slot < loop.end; ++slot) a_.label();
    notes_ = false;
    a_.reserve();
    std::uint32_t slot = loop.first + write(at(slot_ = loop.first));
    while (slot < loop.jump) slot += instruction(slot);
  }
  end_ = loop.end;
  for (std::uint32_t slot = loop.jump; slot < loop.end;) slot += instruction(slot);
  copy_ = {};
  notes_ = true;
  end_ = end;
}

void Compiler::leave_loop(const ShortLoop& loop) {
  a_.reserve();
  a_.bind(label_of(loop.jump));
  const At jump = at(slot_ = loop.jump);
  if (notes_) note_piece(loop.jump);
  const bool leaves = loop.jump + 1 != loop.end;  // the jump back is behind it
  const Condition holds = compare(jump);
  a_.jump(leaves ? holds : !holds, label_of(loop.end));
}

// The head of the loop, in place of the jump back to it.
void Compiler::repeat_head(const RotatedLoop& loop) {
  const std::uint32_t end = std::exchange(end_, loop.branch);
  const bool notes = std::exchange(notes_, false);
  for (std::uint32_t slot = loop.first; slot < loop.branch; a_.reserve()) slot += write(at(slot_ = slot));
  const At branch = at(slot_ = loop.branch);
  const Condition holds = compare(branch);
  const Label taken = label_of(target(branch)), behind = label_of(loop.branch + 1);
  a_.jump(loop.stays ? holds : !holds, loop.stays ? taken : behind);
  if (!falls_to(at(loop.back), loop.stays ? loop.branch + 1 : target(branch))) a_.jump(loop.stays ? behind : taken);
  notes_ = notes;
  end_ = end;
  slot_ = loop.back;
}

// The instructions of a small function that has no frame, where it is called.
void Compiler::in_place(const Function& callee) {
  const Function* const caller = std::exchange(function_, &callee);
  const std::uint32_t slot = slot_, end = end_;
  const Copy outer = copy_;
  const bool notes = std::exchange(notes_, false);
  copy_ = {.first = callee.start, .end = std::int64_t{callee.end} + 1, .labels = a_.label().id};
  for (std::uint32_t i = callee.start; i < callee.end; ++i) a_.label();
  in_place_ = true;
  instructions(callee);
  a_.bind(label_of(callee.end));
  in_place_ = false;
  notes_ = notes;
  copy_ = outer;
  function_ = caller;
  slot_ = slot;
  end_ = end;
}

// Writes the instruction, or several that go together: how many slots they are. What nobody asks for is left out.
std::uint32_t Compiler::write(const At& at) {
  if (survey_.at(at.slot, Survey::kLeftOut)) return isa::slots(at.op);
  if (is_pure(at.op) && dead_after(at.slot, at.insn.dst)) return isa::slots(at.op);
  if (survey_.at(at.slot, Survey::kConstant))
    return a_.mov(reg(at.insn.dst), survey_.constant_at(at.slot)), isa::slots(at.op);
  if (survey_.at(at.slot, Survey::kAlways)) return Goto(at), 1;
  if (survey_.at(at.slot, Survey::kChained) && copy_.end == 0) return write_chained(at);
  if (survey_.at(at.slot, Survey::kJoined)) return load_joined(at), 1;
  if (survey_.at(at.slot, Survey::kInlined)) return write_inline(at);
  if (survey_.at(at.slot, Survey::kArena)) return access_arena(at), 1;
  if (const std::uint32_t done = fuses() ? fuse(at) : 0; done != 0) return done;
  (this->*kForms[static_cast<std::size_t>(isa::form(at.op))])(at);
  return isa::slots(at.op);
}

void Compiler::barrier(std::uint32_t slot, spec::Barrier::Where where) {
  if (!order_.has_barriers()) return;
  const auto asked = std::ranges::lower_bound(order_.image.barriers, slot, {}, &spec::Barrier::insn);
  if (asked != order_.image.barriers.end() && asked->insn == slot && asked->where == where) a_.lfence();
}

void Compiler::push(Reg reg) {
  a_.push(reg);
  note_frame(FrameStep::Kind::Push, reg);
}
void Compiler::pop(Reg reg) {
  a_.pop(reg);
  note_frame(FrameStep::Kind::Pop, reg);
}

// From above: return address, the caller's rbp, the stack of BPF, the counter of may_goto, saved registers.
void Compiler::prologue(const Function& function) {
  const bool main = function_ == survey_.functions.data();
  if (main || function.address_taken) a_.endbr();
  saved_ = function.writes & kSavedRegisters;
  saved_call_ = main && uses_call_;
  local_bytes_ = function.stack + (function.may_goto ? kWord : 0);
  const unsigned pushes = static_cast<unsigned>(__builtin_popcount(saved_)) + saved_call_ + function.frame_pointer;
  padded_ = function.calls && (pushes * kWord + local_bytes_) % 16 == 0;
  const auto below = static_cast<std::int32_t>(local_bytes_ + (padded_ ? kWord : 0));
  if (function.frame_pointer) {
    push(Reg::Rbp);
    a_.mov(Width::W64, Reg::Rbp, Reg::Rsp);
    note_frame(FrameStep::Kind::Link);
  }
  if (below != 0) {
    a_.alu(Alu::Sub, Width::W64, Reg::Rsp, below);
    note_frame(FrameStep::Kind::Grow, Reg::Rsp, static_cast<std::uint32_t>(below));
  }
  if (function.may_goto) a_.store(Width::W32, Mem{Reg::Rbp, -static_cast<std::int32_t>(local_bytes_)}, kMayGotoLoops);
  for (unsigned number = 6; number < 10; ++number)
    if ((saved_ >> number & 1U) != 0) push(reg(number));
  if (!saved_call_) return;
  push(kCall);
  a_.mov(Width::W64, kCall, Reg::Rdi);
}

// What an exec::JumpTarget says of the current function's frame: whoever has one of the same shape may go on in
// another's body. 0 where its prologue sets more than registers.
std::uint32_t Compiler::frame_shape() const noexcept {
  constexpr unsigned kLocalBits = 10;
  static_assert(isa::kStackBytes + kWord < 1 << kLocalBits);
  if (function_->may_goto) return 0;
  const unsigned flags = 1U | saved_call_ * 2U | padded_ * 4U | function_->frame_pointer * 8U;
  return local_bytes_ | flags << kLocalBits | saved_ << (kLocalBits + 4);
}

// All but the return, behind which the frame is noted to be whole again.
void Compiler::epilogue(const Function& function) {
  note_frame(FrameStep::Kind::Epilogue);
  if (saved_call_) pop(kCall);
  for (unsigned number = 10; number-- > 6;)
    if ((saved_ >> number & 1U) != 0) pop(reg(number));
  if (function.frame_pointer && local_bytes_ + padded_ != 0) {
    a_.leave();
    return note_frame(FrameStep::Kind::Leave);
  }
  if (function.frame_pointer) return pop(Reg::Rbp);
  if (padded_) a_.alu(Alu::Add, Width::W64, Reg::Rsp, kWord);
  if (padded_) note_frame(FrameStep::Kind::Grow, Reg::Rsp, 0U - kWord);
}

void Compiler::leave_function() {
  epilogue(*function_);
  a_.ret();
  note_frame(FrameStep::Kind::Resume);
}

void Compiler::Exit(const At& at) {
  if (!in_place_) return leave_function();
  if (at.slot + 1 != function_->end) a_.jump(label_of(function_->end));
}

// ---- Stopping

void Compiler::count_block(std::uint32_t slot) {
  std::int32_t length = 0;
  for (std::uint32_t i = slot; i < function_->end && (i == slot || !survey_.at(i, Survey::kBlock)); ++i)
    length += survey_.at(i, Survey::kFirst);
  if (blinds()) {
    load_number(kScratch, static_cast<std::uint32_t>(length));
    a_.alu(Alu::Sub, Width::W64, field(kCallOffsets.budget), kScratch);
  } else {
    a_.alu(Alu::Sub, Width::W64, field(kCallOffsets.budget), length);
  }
  a_.jump(Condition::B, stop_label(slot, Stop::Budget));
}

// Where the program is stopped for `why` at `slot`.
Label Compiler::stop_label(std::uint32_t slot, Stop why) {
  stops_.push_back({a_.label(), slot, why});
  return stops_.back().label;
}

void Compiler::write_stops() {
  const Label stop = a_.label();
  for (const StopSite& site : stops_) {
    a_.reserve();
    a_.bind(site.label);
    load_number(Reg::Rsi, site.slot);
    a_.mov(Reg::Rdx, std::to_underlying(site.why));
    a_.jump(stop);
  }
  a_.reserve();
  if (!stops_.empty()) {
    a_.bind(stop);
    leave_for(order_.services.stop);
  }
  a_.bind(abandon_);
  if (abandons_) leave_for(order_.services.abandon);
}

// A service that does not return, called from anywhere.
void Compiler::leave_for(std::uint64_t service) {
  a_.alu(Alu::And, Width::W64, Reg::Rsp, -16);
  a_.mov(Width::W64, Reg::Rdi, kCall);
  call_address(service);
  a_.trap();
}

void Compiler::Invalid(const At& at) { a_.jump(stop_label(at.slot, Stop::BadInstruction)); }

// ---- Jumps

std::int64_t Compiler::target(const At& at) { return *isa::jump_target(at.op, at.insn, at.slot); }

// Whether what is behind the instruction goes on at `target`.
bool Compiler::falls_to(const At& at, std::int64_t target) const {
  std::uint32_t next = at.slot + isa::slots(at.op);
  while (next < target && survey_.at(next, Survey::kLeftOut)) next += isa::slots(survey_.ops[next]);
  return target == next;
}

void Compiler::Goto(const At& at) {
  if (const RotatedLoop* const loop = copies() && copy_.end == 0 ? survey_.rotated_loop_at(at.slot) : nullptr;
      loop != nullptr && !survey_.at(loop->branch, Survey::kChained))
    return repeat_head(*loop);
  if (!falls_to(at, target(at))) a_.jump(label_of(target(at)));
}
void Compiler::GotoLong(const At& at) { Goto(at); }

void Compiler::MayGoto(const At& at) {
  const Mem counter{Reg::Rbp, -static_cast<std::int32_t>(local_bytes_)};
  a_.alu(Alu::Cmp, Width::W32, counter, 0);
  a_.jump(Condition::E, label_of(target(at)));
  a_.alu(Alu::Sub, Width::W32, counter, 1);
}

void Compiler::compare(Width width, isa::JumpOp op, Reg a, Source b) {
  if (op == isa::JumpOp::Set) {
    if (b.is_register) return a_.test(width, a, b.reg);
    return a_.test(b.number >= 0 ? Width::W32 : width, a, b.number);
  }
  if (b.is_register) return a_.alu(Alu::Cmp, width, a, b.reg);
  if (b.number == 0) return a_.test(width, a, a);  // the same for every condition
  a_.alu(Alu::Cmp, width, a, b.number);
}

// What a conditional jump compares: the condition on which it is taken.
Condition Compiler::compare(const At& jump) {
  const isa::JumpOp op = isa::jump_op(jump.op);
  compare(jump.width, op, reg(jump.insn.dst), source(jump, isa::form(jump.op) == isa::Form::JumpReg));
  return condition_of(op);
}

void Compiler::jump(const At& at, Source b) {
  if (falls_to(at, target(at))) return;
  const isa::JumpOp op = isa::jump_op(at.op);
  compare(at.width, op, reg(at.insn.dst), b);
  a_.jump(condition_of(op), label_of(target(at)));
}
void Compiler::JumpImm(const At& at) { jump(at, constant(at)); }
void Compiler::JumpReg(const At& at) { jump(at, source(at, true)); }

// ---- Calls

void Compiler::call_address(std::uint64_t address) {
  if (order_.features.direct_calls && order_.place.reaches(address)) {
    a_.byte(0xe8);
    return a_.absolute(address);
  }
  a_.mov(Reg::Rax, address);
  call_register(Reg::Rax);
}

// ---- Indirect jumps and calls. A retpoline is a call that "returns" to where it is to go: the processor guesses the
// return to lead behind the call, where it waits.

void Compiler::call_register(Reg to) { order_.hardening.retpolines ? a_.call(thunk(to)) : a_.call(to); }
void Compiler::jump_register(Reg to) { order_.hardening.retpolines ? a_.jump(thunk(to)) : a_.jump(to); }

Label Compiler::thunk(Reg to) {
  const auto number = std::to_underlying(to);
  if ((used_thunks_ >> number & 1U) == 0) thunks_[number] = a_.label();
  used_thunks_ |= 1U << number;
  return thunks_[number];
}

void Compiler::write_thunks() {
  for (std::size_t number = 0; number < thunks_.size(); ++number) {
    if ((used_thunks_ >> number & 1U) == 0) continue;
    a_.reserve();
    const Label go = a_.label(), wait = a_.label();
    a_.bind(thunks_[number]);
    a_.call(go);
    a_.bind(wait);
    a_.pause();
    a_.lfence();
    a_.jump(wait);
    a_.bind(go);
    a_.store(Width::W64, Mem{Reg::Rsp, 0}, static_cast<Reg>(number));
    a_.ret();
  }
}

// r1 to r5 are where a body expects them.
void Compiler::call_body(std::uint64_t body) {
  a_.mov(Width::W64, Reg::Rdi, kCall);
  call_address(body);
}

// Behind what may have run a callback.
void Compiler::check_stopped() {
  if (!survey_.callbacks) return;
  abandons_ = true;
  a_.alu(Alu::Cmp, Width::W8, field(kCallOffsets.stopped), 0);
  a_.jump(Condition::NE, abandon_);
}

void Compiler::CallHelper(const At& at) {
  if (at.insn.imm == kTailCall) return tail_call_by_service(label_of(at.slot + 1));
  const std::uint64_t body = order_.values[at.slot];
  if (body == 0) return a_.jump(stop_label(at.slot, Stop::NoHelper));
  call_body(body);
  if (calls_back(at.insn.imm)) check_stopped();
}

void Compiler::CallKfunc(const At& at) {
  const std::uint64_t body = order_.values[at.slot];
  if (body == 0) return a_.jump(stop_label(at.slot, Stop::NoKfunc));
  call_body(body);
  check_stopped();
}

void Compiler::CallReg(const At& at) {
  const Label stop = stop_label(at.slot, Stop::NoHelper);
  a_.mov(Width::W64, kScratch, reg(at.insn.dst));
  a_.alu(Alu::Cmp, Width::W64, kScratch, static_cast<std::int32_t>(order_.helpers.size()));
  a_.jump(Condition::AE, stop);
  a_.mov(kScratch2, reinterpret_cast<std::uint64_t>(order_.helpers.data()));
  a_.load(Width::W64, kScratch, Indexed{kScratch2, kScratch, 3, 0});
  a_.test(Width::W64, kScratch, kScratch);
  a_.jump(Condition::E, stop);
  a_.mov(Width::W64, Reg::Rdi, kCall);
  call_register(kScratch);
  check_stopped();
}

void Compiler::call_function(std::size_t which) {
  survey_.functions[which].is_small&& copies() ? in_place(survey_.functions[which]) : a_.call(label_of_function(which));
}

void Compiler::CallLocal(const At& at) {
  const auto target = static_cast<std::uint32_t>(*isa::subprog_target(at.op, at.insn, at.slot));
  const std::size_t callee = survey_.function_at(target);
  call_function(callee);
  if (!survey_.functions[callee].tail_calls) return;
  a_.mov(kScratch, order_.program);  // which a tail call below may have replaced
  a_.store(Width::W64, field(kCallOffsets.program), kScratch);
}

// Leaves the frame and goes on in the other program, if there is one.
void Compiler::tail_call_by_service(Label nowhere) {
  call_body(order_.services.tail_call);
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  a_.jump(Condition::E, nowhere);
  go_on_in_other();
}

// The code is in rax.
void Compiler::go_on_in_other() {
  a_.load(Width::W64, Reg::Rsi, field(kCallOffsets.context));
  a_.mov(Width::W64, Reg::Rdi, kCall);
  epilogue(*function_);
  jump_register(Reg::Rax);
  note_frame(FrameStep::Kind::Resume);
}

// The offset of the packet is in rsi. A load that fails leaves the function with 0.
void Compiler::load_packet(const At& at) {
  a_.mov(Reg::Rdx, isa::access_bytes(at.op));
  call_body(order_.services.load_packet);
  a_.test(Width::W64, Reg::Rax, Reg::Rax);
  const std::uint32_t loaded = a_.skip(Condition::NS);
  a_.mov(Reg::Rax, 0);
  leave_function();
  a_.land(loaded);
}

void Compiler::PacketAbs(const At& at) {
  if (order_.image.context != exec::ContextKind::SkBuff) return Invalid(at);
  load_number(Reg::Rsi, static_cast<std::uint32_t>(at.insn.imm));
  load_packet(at);
}

void Compiler::PacketInd(const At& at) {
  if (order_.image.context != exec::ContextKind::SkBuff) return Invalid(at);
  if (blinds()) {
    load_number(kScratch, static_cast<std::uint32_t>(at.insn.imm));
    a_.lea(Width::W32, Reg::Rsi, Indexed{reg(at.insn.src), kScratch, 0, 0});
  } else {
    a_.lea(Width::W32, Reg::Rsi, Mem{reg(at.insn.src), at.insn.imm});
  }
  load_packet(at);
}

}  // namespace skep::jit::x64
