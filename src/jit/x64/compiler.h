// The writing pass: one function for each form of isa/forms.def. Internal to jit/x64/.
//
// Registers (docs/design/jit.md): r0 is rax; r1 to r5 are the second to sixth argument registers of the C convention;
// r6 to r9 and the frame pointer are callee-saved; r12 holds the Call. rdi, r10 and r11 are free within an instruction.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "exec/call.h"
#include "isa/op.h"
#include "jit/x64/assembler.h"
#include "jit/x64/compile.h"
#include "jit/x64/survey.h"

namespace skep::jit::x64 {

inline constexpr std::array<Reg, isa::kRegisters> kRegs = {Reg::Rax, Reg::Rsi, Reg::Rdx, Reg::Rcx, Reg::R8, Reg::R9,
                                                           Reg::Rbx, Reg::R13, Reg::R14, Reg::R15, Reg::Rbp};
inline constexpr Reg kCall = Reg::R12;
inline constexpr Reg kScratch = Reg::R11, kScratch2 = Reg::R10, kScratch3 = Reg::Rdi;

// Whether a value is known to be one that a table has an entry for.
enum class Bounds : std::uint8_t { Unknown, Known };
enum class Division : std::uint8_t { Quotient, Remainder, SignedQuotient, SignedRemainder };

inline constexpr std::array<Condition, 16> kConditions = [] {
  std::array<Condition, 16> conditions{};
#define JUMP(name, condition) conditions[static_cast<std::size_t>(isa::JumpOp::name)] = Condition::condition;
#include "jit/x64/jump.def"
  return conditions;
}();
constexpr Condition condition_of(isa::JumpOp op) noexcept { return kConditions[static_cast<std::size_t>(op)]; }

// Where the fields of a Call are that code reads or writes.
struct CallOffsets {
  std::int32_t host, context, program, cpu, tail_calls, budget, stopped;
};
extern const CallOffsets kCallOffsets;
// And those of what it finds from there.
struct OtherOffsets {
  std::int32_t known_programs, known_maps;  // of exec::Host
  std::int32_t reference, object;           // of exec::Known
  std::int32_t jump_target;                 // of exec::Executable
  std::int32_t base, stride, entries;       // of maps::Map: its Elements
};
extern const OtherOffsets kOtherOffsets;

class Compiler {
 public:
  Compiler(const Order& order, const Survey& survey);
  Code compile();

 private:
  using Insn = isa::Insn;
  using Op = isa::Op;

  // The instruction that is being written.
  struct At {
    std::uint32_t slot;
    Op op;
    const Insn& insn;
    Width width;
  };
  // The second operand of an operation.
  struct Source {
    bool is_register;
    Reg reg;
    std::int32_t number;
  };
  struct AluRow {
    void (Compiler::*write)(Width width, std::uint8_t operation, Reg to, Source source) = nullptr;
    std::uint8_t operation = 0;
  };
  static const std::array<AluRow, 256> kAluRows;

  // ---- flow.cc: functions, jumps and calls
  void function(std::size_t which);
  std::uint32_t write(const At& at);
  void prologue(const Function& function);
  void epilogue(const Function& function);
  void leave_function();
  void count_block(std::uint32_t slot);
  Label stop_label(std::uint32_t slot, Stop why);
  void write_stops();
  void write_thunks();
  void leave_for(std::uint64_t service);
  void call_address(std::uint64_t address);
  void call_register(Reg to);
  void jump_register(Reg to);
  Label thunk(Reg to);
  void call_body(std::uint64_t body);
  void check_stopped();
  void tail_call(const maps::Recipe* programs);
  void go_on_in_other();
  void load_packet(const At& at);
  void jump(const At& at, Source b);
  static bool falls_to(const At& at, std::int64_t target);
  // Of an instruction; the functions' own labels are behind those.
  static Label label_of(std::int64_t slot) { return Label{static_cast<std::uint32_t>(slot)}; }
  Label label_of_function(std::size_t which) const {
    return Label{static_cast<std::uint32_t>(order_.image.insns.size() + which)};
  }
  void compare(Width width, isa::JumpOp op, Reg a, Source b);

  // ---- layout: noted where it is wanted
  void note_piece(std::uint32_t slot);
  void note_frame(FrameStep::Kind kind, Reg reg = Reg::Rax, std::uint32_t bytes = 0);
  void push(Reg reg);
  void pop(Reg reg);
  Layout final_layout(std::uint32_t shared);

  // ---- blinding.cc: constants that their author must not find in the code
  bool blinds() const noexcept { return order_.hardening.blinding != 0; }
  std::uint64_t key() noexcept;
  void load_number(Reg to, std::uint64_t value);
  Source constant(const At& at, Reg room = kScratch);

  // ---- inline.cc: helpers whose work is written in place of the call
  std::uint32_t write_inline(const At& at);
  std::uint32_t index_element(const At& at, const InlinedCall& call);
  std::uint32_t find_element(const maps::Recipe& recipe);
  std::uint32_t loop(const InlinedCall& call);
  std::uint32_t find_inner_map(const At& at, const maps::Recipe& recipe);
  std::uint32_t find_in_unknown(const At& at);
  void load_reference(const maps::Recipe& recipe, Label none);
  void load_known(std::int32_t table, Label unknown);
  void jump_to_program(const maps::Recipe& recipe, Label nowhere, Label unknown);
  void address_of_element(const maps::Recipe& recipe);
  void scale(Reg what, std::uint64_t by);
  void add_cpu(const maps::Recipe& recipe);

  // ---- chain.cc: comparisons of one register that are written as one
  std::uint32_t write_chained(const At& at);
  void choose(const CompareChain& chain, std::size_t first, std::size_t end);
  void choose_by_table(const CompareChain& chain, std::size_t part, Bounds bounds);
  void compare(const CompareChain& chain, std::uint64_t key);
  Condition compare_below(const CompareChain& chain, std::size_t part);
  static Label label_of(const CompareChain& chain, CompareChain::Part part);
  void write_tables();

  // ---- alu.cc
  void binary(Width width, std::uint8_t operation, Reg to, Source source);
  void multiply(Width width, std::uint8_t operation, Reg to, Source source);
  void divide(Width width, std::uint8_t operation, Reg to, Source source);
  void divide_by(Width width, Division what, Reg to, Reg by);
  bool is_never_zero(Width width, unsigned number) const;
  void multiply_by_inverse(Width width, Division what, Reg to, std::uint64_t number);
  void divide_by_zero(Width width, Division what, Reg to);
  void divide_by_minus_one(Width width, Division what, Reg to);
  bool divide_by_constant(Width width, Division what, Reg to, std::int32_t number);
  void shift(Width width, std::uint8_t operation, Reg to, Source source);
  void shift_without_bmi2(Width width, Shift what, Reg to, Reg by);
  void move(Width width, std::uint8_t operation, Reg to, Source source);
  void extend(Width width, std::uint8_t operation, Reg to, Source source);
  void negate(Width width, std::uint8_t operation, Reg to, Source source);
  void truncate(Width width, std::uint8_t operation, Reg to, Source source);
  void swap_bytes(Width width, std::uint8_t operation, Reg to, Source source);

  // ---- fuse.cc: several instructions written as one. Each takes the first of them and says how many slots were done.
  std::uint32_t fuse(const At& at);
  std::uint32_t fuse_move(const At& at);
  std::uint32_t fuse_sum(const At& move, const At& add);
  std::uint32_t fuse_rotation(const At& move, const At& shift);
  std::uint32_t fuse_load(const At& at);
  std::uint32_t fuse_update(const At& at);
  std::uint32_t fuse_operand(const At& load);
  std::uint32_t fuse_element(const At& address, Reg index, std::uint8_t log);
  std::uint32_t fuse_scaled(const At& shift);
  std::uint32_t fuse_truth(const At& at);
  std::uint32_t fuse_choice(const At& jump, const At& other);
  std::uint32_t fuse_halves(const At& store);
  bool access(const At& at, unsigned through, Indexed where);
  void load_joined(const At& at);
  std::uint32_t fuse_shifts(const At& at);
  std::uint32_t fuse_jump(const At& at);
  void rotate(Width width, Reg to, Reg from, std::uint8_t right);
  // Whether instructions may be written together: not where each has to be found again, to be guarded or blinded.
  bool fuses() const noexcept { return !order_.is_plain(); }

  // ---- memory.cc
  void fetch_by_loop(Width width, Alu what, Mem where, Reg value);

  // ---- one for each form, by its name
#define FORM(name, ...) void name(const At& at);
#include "isa/forms.def"
  static void (Compiler::* const kForms[])(const At& at);

  static Reg reg(unsigned number) noexcept { return kRegs[number]; }
  static Source source(const At& at, bool is_register) noexcept {
    return {is_register, kRegs[is_register ? at.insn.src : 0U], at.insn.imm};
  }
  const Insn& insn(std::size_t slot) const noexcept { return order_.image.insns[slot]; }
  At at(std::uint32_t slot) const noexcept {
    const Op op = survey_.ops[slot];
    return {slot, op, insn(slot), width_of(isa::bits(op))};
  }
  // Whether there is an instruction at `slot` that runs only behind the one before it, and may be written with it.
  bool follows(std::uint32_t slot) const noexcept {
    return slot < function_->end && survey_.at(slot, Survey::kFirst) &&
           !survey_.at(slot, Survey::kTarget | Survey::kJoined | Survey::kChained);
  }
  // Whether nobody asks for a register after the instruction at `slot`.
  bool dead_after(std::uint32_t slot, unsigned number) const noexcept {
    return (survey_.live[slot] >> number & 1U) == 0;
  }
  static constexpr Mem field(std::int32_t offset) noexcept { return {kCall, offset}; }

  void barrier(std::uint32_t slot, spec::Barrier::Where where);

  // A place where the program is stopped, written behind its function.
  struct StopSite {
    Label label;
    std::uint32_t slot;
    Stop why;
  };

  // A jump table, written behind all code.
  struct TableSite {
    Label label;
    const CompareChain& chain;
    CompareChain::Part part;
  };

  const Order& order_;
  const Survey& survey_;
  Assembler a_;
  const Function* function_ = nullptr;
  std::uint32_t slot_ = 0;         // that is being written
  bool uses_call_ = false;         // r12 holds the Call
  unsigned saved_ = 0;             // registers of BPF that the function pushed
  bool saved_call_ = false;        // and whether it pushed r12
  bool padded_ = false;            // by eight bytes, for alignment
  std::uint32_t local_bytes_ = 0;  // below the frame pointer
  std::vector<StopSite> stops_;
  std::vector<TableSite> tables_;
  Label abandon_{};
  bool abandons_ = false;
  std::uint64_t key_state_ = 0;  // of blinding
  std::array<Label, 16> thunks_{};
  unsigned used_thunks_ = 0;  // by register
  Layout layout_;
};

}  // namespace skep::jit::x64
