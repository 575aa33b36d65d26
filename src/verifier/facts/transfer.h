// What one instruction makes of a state of the facts pass: a function per form of isa/forms.def.
//
// The program is one that the verifier let through, and that is relied on where it says what programs cannot do: read
// registers that are unset, use a number as an address, keep a pointer to the stack of a function that ended. Nothing
// is relied on that it says of values. What an instruction or a call leaves is otherwise Any. Tested by:
// verifier/facts/facts_test.cc.
#pragma once

#include <array>
#include <cstddef>

#include "isa/op.h"
#include "spec/context.h"
#include "spec/helpers.h"
#include "spec/verify.h"
#include "verifier/domain/branch.h"
#include "verifier/facts/state.h"

namespace skep::verifier {

class Transfer {
 public:
  Transfer(const spec::VerifyInput& input, const spec::VerifiedProgram& program, Values& values);

  // From before the instruction at `index` to behind it. Jumps change nothing by themselves.
  void apply(isa::Op op, std::size_t index, FlowState& state);
  // What the jump at `index` tells on its way to `side`; false: it never goes there.
  bool refine(isa::Op op, std::size_t index, Side side, FlowState& state);

  // The state a program starts in, and a function that is called back; one that is called at `state`.
  FlowState main_entry();
  FlowState callback_entry();
  FlowState callee_entry(const FlowState& state);

 private:
  using Insn = isa::Insn;
  using Op = isa::Op;

  // ---- Numbers and pointers
  void alu(Op op, const Insn& insn, FlowState& state);
  ValueId moved(Op op, ValueId source);
  Value sum(isa::AluOp op, const Value& dst, const Value& src) const;
  ValueId constant(Op op, std::size_t index);
  ValueId map_constant(Op op, std::size_t index);

  // ---- Memory
  ValueId loaded(Op op, const Insn& insn, const FlowState& state);
  ValueId loaded_from_context(Op op, std::int64_t offset, unsigned bytes);
  ValueId loaded_from_map(Op op, const Value& base, std::int64_t offset, unsigned bytes);
  ValueId sized(Op op, unsigned bytes) const;
  void store(Op op, const Insn& insn, FlowState& state, ValueId value);
  void atomic(Op op, const Insn& insn, FlowState& state);

  // ---- Calls
  void call_helper(const Insn& insn, FlowState& state);
  void call_local(FlowState& state);
  void call_unknown(FlowState& state);
  ValueId result_of(const spec::Helper& helper, const FlowState& state);
  void forget_written(const spec::Helper& helper, FlowState& state);
  void forget_written(const spec::ArgInfo& argument, unsigned reg, FlowState& state);
  std::int64_t extent(const spec::ArgInfo& argument, unsigned reg, const FlowState& state) const;
  void forget_packet(FlowState& state);
  bool passes_stack(const FlowState& state) const;
  static void clobber(FlowState& state, unsigned first);

  const spec::VerifyInput& input_;
  const spec::VerifiedProgram& program_;
  Values& values_;
  spec::ContextKind context_;
  bool context_has_pointers_ = false;                         // of 4 bytes, that are more once they are loaded
  bool calls_move_packet_ = false;                            // some function, or what it tail-calls, may
  std::array<ValueId, 4> zero_extended_{}, sign_extended_{};  // by log2 of the bytes
};

}  // namespace skep::verifier
