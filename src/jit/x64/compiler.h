// The writing pass: one function for each form of isa/forms.def. Internal to jit/x64/.
//
// Registers (docs/design/jit.md): r0 is rax; r1 to r5 are the second to sixth argument registers of the C convention;
// r6 to r9 and the frame pointer are callee-saved; r12 holds the Call. rdi, r10 and r11 are free within an instruction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
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
  std::int32_t context, program, cpu, tail_calls, generator, budget, stopped;
  std::int32_t reserved, reserved_from, reservations;  // the first record, its map, their number
};
extern const CallOffsets kCallOffsets;
// And those of what it finds from there.
struct OtherOffsets {
  std::int32_t reference, object, code, body, frame;  // of exec::Known
  std::int32_t base, stride, entries;                 // of maps::Map: its Elements
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
    bool in_arena = false;  // what it accesses is where kScratch says
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
  void instructions(const Function& function);
  std::uint32_t instruction(std::uint32_t slot);
  void short_loop(const ShortLoop& loop);
  void leave_loop(const ShortLoop& loop);
  void repeat_head(const RotatedLoop& loop);
  void in_place(const Function& callee);
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
  void call_function(std::size_t which);
  void check_stopped();
  void tail_call_by_service(Label nowhere);
  void go_on_in_other();
  void load_packet(const At& at);
  void jump(const At& at, Source b);
  bool falls_to(const At& at, std::int64_t target) const;
  // Of an instruction; the functions' own labels are behind those. Copies have others: functions that are written in
  // place of their calls, short loops.
  Label label_of(std::int64_t slot) const {
    const bool is_copied = slot >= copy_.first && slot < copy_.end;
    return Label{static_cast<std::uint32_t>(is_copied ? slot - copy_.first + copy_.labels : slot)};
  }
  Label label_of_function(std::size_t which) const {
    return Label{static_cast<std::uint32_t>(order_.image.insns.size() + which)};
  }
  void compare(Width width, isa::JumpOp op, Reg a, Source b);
  Condition compare(const At& jump);
  static std::int64_t target(const At& at);

  // ---- layout: noted where it is wanted
  void note_piece(std::uint32_t slot);
  void note_frame(FrameStep::Kind kind, Reg reg = Reg::Rax, std::uint32_t bytes = 0);
  std::uint32_t frame_shape() const noexcept;
  bool tails_may_stop() const noexcept;
  void push(Reg reg);
  void pop(Reg reg);
  Layout final_layout(std::uint32_t shared);

  // ---- blinding.cc: constants that their author must not find in the code
  bool blinds() const noexcept { return order_.hardening.blinding != 0; }
  std::uint64_t key() noexcept;
  void load_number(Reg to, std::uint64_t value);
  Source constant(const At& at, Reg room = kScratch);

  // ---- inline.cc: helpers whose work is written in place of the call
  // Where to go on behind a call: with what it found, and with null.
  struct Ways {
    Label found, null;
    bool found_is_behind = true;  // and needs no jump
    std::uint32_t slots = 1;      // the call, and perhaps a comparison with null
  };
  // The call itself, for what its place does not do; written behind the function.
  struct ColdCall {
    Label label;
    const InlinedCall& call;
    Ways ways;
    // Of a hash map: where no slot of the key's home has its tag. Of a ring buffer: where its lock is held, for
    // nothing; where its consumer waits.
    Label aside{};
  };
  std::uint32_t write_inline(const At& at);
  Ways behind(std::uint32_t slot) const;
  Ways ways_behind(std::uint32_t slot) const;
  void go_on(const Ways& ways);
  const ColdCall& call_later(const InlinedCall& call, const Ways& ways);
  void write_cold_calls();
  void call_for_value(const ColdCall& cold);
  void call_for_tail(const ColdCall& cold);
  void index_element(const InlinedCall& call, const Ways& ways);
  void find_element(const maps::Recipe& recipe);
  template <class Function>
  void call_of_table(const maps::Recipe& recipe, Function body);
  void find_in_chunks(const InlinedCall& call, const Ways& ways);
  void load_key(const InlinedCall& call);
  void load_halves(Reg to, Mem from);
  void load_home(const maps::Recipe::Chunks& chunks);
  void find_further(const ColdCall& cold);
  void loop(const InlinedCall& call);
  void draw_random(const InlinedCall& call);
  void read_clock(const At& at, exec::Clock clock);
  enum class Copying : std::uint8_t { FromPacket, ToPacket };
  void copy_packet(const InlinedCall& call, Copying direction);
  void compare_text(const InlinedCall& call);
  void compare_checksums(const InlinedCall& call);
  void add_words(Reg from, std::uint32_t bytes, std::optional<Reg> last);
  void fold(Reg what, std::uint8_t bits);
  void find_inner_map(const InlinedCall& call, const Ways& ways);
  void find_in_unknown(const InlinedCall& call, const Ways& ways);
  void load_index(const InlinedCall& call);
  void load_index_inside(const InlinedCall& call, Label none);
  void mask_index();
  void load_slot(const InlinedCall& call, Label none);
  void load_known(const exec::KnownSlot* table, Label unknown);
  void tail_call(const InlinedCall& call);
  void go_on_in_itself();
  void go_on_in_body();
  void note_tail_call();
  void scale(Reg what, std::uint64_t by);
  void add_cpu(const maps::Recipe& recipe);

  // ---- inline_ring.cc: records of ring buffers
  void reserve_record(const InlinedCall& call, const Ways& ways);
  void lock_ring(const maps::Recipe::Ring& ring, Label elsewhere);
  void pass_record(const maps::Recipe::Ring& ring, Label elsewhere);
  void write_record(const maps::Recipe::Ring& ring, std::uint32_t bytes);
  void reserve_by_call(const ColdCall& cold);
  enum class Giving : std::uint8_t { Submit, Discard };
  void give_record_back(const InlinedCall& call, Giving how);
  void wake_or_call(const ColdCall& cold);

  // ---- chain.cc: comparisons of one register that are written as one
  std::uint32_t write_chained(const At& at);
  void choose(const CompareChain& chain, std::size_t first, std::size_t end);
  void choose_by_table(const CompareChain& chain, std::size_t part, Bounds bounds);
  void compare(const CompareChain& chain, std::uint64_t key);
  Condition compare_below(const CompareChain& chain, std::size_t part);
  Label label_of(const CompareChain& chain, CompareChain::Part part) const;
  void write_tables();

  // ---- alu.cc
  void binary(Width width, std::uint8_t operation, Reg to, Source source);
  void multiply(Width width, std::uint8_t operation, Reg to, Source source);
  void divide(Width width, std::uint8_t operation, Reg to, Source source);
  void divide_by(Width width, Division what, Reg to, Reg by);
  const spec::Numbers* known_number(unsigned number) const;
  bool is_never_zero(Width width, unsigned number) const;
  bool has_no_upper_half(unsigned number) const;
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
  std::uint32_t fuse_distance(const At& copy);
  std::uint32_t fuse_load_of_sum(const At& add);
  std::uint32_t fuse_rotation(const At& move, const At& shift);
  std::uint32_t fuse_load(const At& at);
  std::uint32_t fuse_update(const At& at);
  std::uint32_t fuse_operand(const At& load);
  std::uint32_t fuse_element(const At& address, Reg index, std::uint8_t log);
  std::uint32_t fuse_scaled(const At& shift);
  std::uint32_t fuse_scaled_sum(const At& shift, const At& move);
  std::uint32_t fuse_truth(const At& at);
  bool is_halving(const At& truth, const At& jump) const;
  bool asks_for_upper_half(const At& jump, const At& down, std::int32_t up) const;
  void prepare_halving(const At& up, const At& down);
  Condition compare_by_carry(const At& jump);
  bool joins(const At& jump, std::uint32_t slot) const;
  std::uint32_t fuse_choice(const At& jump, const At& other);
  std::uint32_t fuse_halves(const At& store);
  bool access(const At& at, unsigned through, Indexed where);
  void load_joined(const At& at);
  std::uint32_t fuse_shifts(const At& at);
  std::uint32_t fuse_jump(const At& at);
  void rotate(Width width, Reg to, Reg from, std::uint8_t right);
  // Whether instructions may be written together: not where each has to be found again, to be guarded or blinded.
  bool fuses() const noexcept { return !order_.is_plain(); }
  // Or more than once: not where they are counted, either.
  bool copies() const noexcept { return fuses() && order_.counting == Counting::No; }

  // ---- arena.cc
  void access_arena(const At& at);

  // ---- memory.cc
  static Mem at_source(const At& at) noexcept;
  static Mem at_destination(const At& at) noexcept;
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
  static constexpr Survey::Flags kApart = Survey::kTarget | Survey::kJoined | Survey::kChained | Survey::kLeftOut |
                                          Survey::kAlways | Survey::kConstant | Survey::kArena;
  // Whether there is an instruction at `slot` that runs only behind the one before it, and may be written with it.
  bool follows(std::uint32_t slot) const noexcept {
    return slot < end_ && survey_.at(slot, Survey::kFirst) && !survey_.at(slot, kApart);
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
  std::uint32_t slot_ = 0;  // that is being written
  std::uint32_t end_ = 0;   // of the instructions that it may be written together with
  struct Copy {
    std::int64_t first = 0, end = 0;  // slots
    std::uint32_t labels = 0;         // of the first one
  };
  Copy copy_;                      // of instructions that are written elsewhere, too
  bool notes_ = true;              // pieces: the first copies'
  bool in_place_ = false;          // in a function that is written in place of its call
  bool uses_call_ = false;         // r12 holds the Call
  unsigned saved_ = 0;             // registers of BPF that the function pushed
  bool saved_call_ = false;        // and whether it pushed r12
  bool padded_ = false;            // by eight bytes, for alignment
  std::uint32_t local_bytes_ = 0;  // below the frame pointer
  std::vector<StopSite> stops_;
  std::vector<ColdCall> cold_calls_;  // of the function
  std::vector<TableSite> tables_;
  Label abandon_{};
  Label body_{};  // of main, behind its prologue
  std::uint32_t main_frame_ = 0;
  bool abandons_ = false;
  std::uint64_t key_state_ = 0;  // of blinding
  std::array<Label, 16> thunks_{};
  unsigned used_thunks_ = 0;  // by register
  Layout layout_;
};

}  // namespace skep::jit::x64
