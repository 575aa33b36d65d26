// One verification: its input, what the passes before the walk found, the path that is being walked, and what is
// still to be visited.
//
// step() applies the instruction at walk.index to walk.state: one function per group of forms, in alu.cc, memory/,
// jump.cc, call/. It either leaves the state and sets `next` (or `ended`), or rejects with Linux's errno and sentence,
// in the order in which Linux looks. What has no transfer function yet is refused by unsupported(), never let through.
// A rejection is kept here, so that Checked is two bytes and the good case costs nothing.
// Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "isa/op.h"
#include "spec/uapi.h"
#include "spec/verify.h"
#include "verifier/state/checkpoint.h"
#include "verifier/state/state.h"
#include "verifier/state/trail.h"
#include "verifier/step/log.h"
#include "verifier/step/prototype.h"

namespace skep::verifier {

struct Rejected {};  // the details are in Walk::rejection
using Checked = std::expected<void, Rejected>;
template <class T>
using CheckedOf = std::expected<T, Rejected>;

// A path that is visited later. The newest is visited first.
struct Fork {
  State state;
  std::uint32_t insn = 0;    // where it goes on
  std::uint32_t from = 0;    // the instruction it left at
  std::size_t log_size = 0;  // when it was left
  std::size_t trail_size = 0;
};

inline constexpr std::size_t kMaxForks = 8192;

// What the way back (precision.h) has to know of an instruction whose path learnt nothing at it.
enum class Backward : std::uint8_t {
  Nothing,     // it tells where nothing came from
  Definition,  // of its destination only
  Other,
};

// What is known of one instruction: from the passes before the walk, and from the paths that met it.
struct InsnInfo {
  isa::Op op = isa::Op::Invalid;
  Backward backward = Backward::Other;
  bool reads_full_scalar : 1 = false;  // of a register that holds a number, or a pointer: all 64 bits of it
  bool reads_full_pointer : 1 = false;
  bool defines_full : 1 = false;      // all 64 bits of its destination
  bool has_stray_fields : 1 = false;  // that its operation does not use are not zero
  // Before the walk.
  bool is_prune_point : 1 = false;     // states are compared and kept here
  bool is_jump_point : 1 = false;      // the way back has to know whether it came through here
  bool forces_checkpoint : 1 = false;  // a state is kept at every visit
  bool calls_callback : 1 = false;     // synchronously
  bool is_iterator_next : 1 = false;   // a kfunc that asks an iterator for its next element
  bool is_may_goto : 1 = false;
  bool in_fastcall_pattern : 1 = false;  // a spill or fill around a call that keeps registers
  // During the walk.
  bool is_seen : 1 = false;       // by a path that is not speculative
  bool zero_extends : 1 = false;  // someone relies on the upper half being zero
  bool needs_nospec : 1 = false;  // a barrier against speculative stores behind it
  bool keeps_jump : 1 = false;    // both sides were seen
  bool falls_only : 1 = false;
  bool has_loop : 1 = false;        // bpf_loop was met here...
  bool inlines_loop : 1 = false;    // ... always with this callback and without flags
  bool narrows : 1 = false;         // an operation of 64 bits on an arena's pointer, which has 32
  bool is_map_guarded : 1 = false;  // some map that the helper was given is: MapView::is_guarded
  std::uint8_t fastcall_spills = 0;
  std::uint8_t alu_masking = 0;  // how pointer arithmetic is masked (spec::PointerMask); 0: not at all
  std::uint32_t alu_limit = 0;
  // Of an ld_imm64: what its constant is (Unset: a number; MapPointer, MapValue, Btf, Memory, Function), which map,
  // type or how many bytes, and where in the map's value.
  Kind constant = Kind::Unset;
  Traits constant_traits = 0;
  std::uint32_t which = 0;
  std::uint32_t offset = 0;
  Kind accessed = Kind::Unset;  // what kind of pointer memory was accessed by
  Traits accessed_traits = 0;
  // Of helper calls, each plus 1; 0: none yet, kSeveral: not the same on every path.
  static constexpr std::uint32_t kSeveral = ~std::uint32_t{0};
  std::uint32_t map = 0;       // index
  std::uint32_t key = 0;       // of a tail call: the constant index
  std::uint32_t callback = 0;  // of bpf_loop: the subprogram
};

struct Subprog {
  std::uint32_t start = 0;  // index of its first instruction
  std::uint32_t end = 0;
  std::uint32_t stack_depth = 0;  // bytes
  // From this many bytes below the frame pointer on down the stack is only used to keep registers around calls;
  // kNoFastcalls: nowhere is.
  static constexpr std::uint32_t kNoFastcalls = ~std::uint32_t{0};
  std::uint32_t fastcall_stack_offset = kNoFastcalls;
  bool keeps_fastcall_stack = false;  // some of these calls do not keep registers after all
  bool has_tail_call = false;
  bool tail_call_reachable = false;
  bool has_ld_abs = false;
  bool is_global = false;
  bool is_called = false;    // and thus verified, if global
  bool is_verified = false;  // by itself
  bool is_callback = false;
  bool is_async_callback = false;
  bool is_exception_callback = false;
  bool changes_packet = false;
  bool might_sleep = false;
  std::string name = {};
  std::optional<Prototype> prototype = {};  // once it was read
  bool has_unreliable_btf = false;          // its BTF does not say what it is called with
};

// The function that a program is attached to, for types that attach to functions: fentry, lsm, raw tracepoints by type
// ...
struct Attached {
  const btf::Btf* btf = nullptr;  // that the ids are of; null: nothing is known of the function
  std::uint32_t function = 0;     // a FUNC, or the tracepoint's typedef; 0: none
  std::uint32_t proto = 0;        // its FUNC_PROTO; 0: five numbers
  std::string_view name = {};
  std::string_view structure = {};  // whose member the program is: struct_ops; empty: of none
  bool is_tracepoint = false;       // the prototype's first parameter is none of the program's
  bool may_call_helpers = true;     // those of its type
  bool may_sleep = false;           // a hook of security modules, where programs may sleep
};

class Explored;  // explore/explored.h

struct Walk {
  Walk(const spec::VerifyInput& what, Rules followed);

  const spec::VerifyInput& input;
  const Rules rules;
  // What kind of program it is: the input's, but for extensions, which are what they extend (prepare/target.cc).
  spec::ProgType type = input.type;
  spec::AttachType attach = input.attach;
  Attached attached = {};
  std::optional<std::uint32_t> arena = {};  // which of the maps it is
  // Rights, as Linux splits them.
  const bool bpf_capable;       // loops, more instructions, precise scalars
  const bool may_leak;          // pointers may become numbers
  const bool bypasses_spec_v1;  // no masking of pointer arithmetic
  const bool bypasses_spec_v4;  // no barriers behind spills
  const bool reads_uninit_stack;
  const bool strict_alignment;

  // What the log shows of types and maps.
  class Names : public PrintNames {
   public:
    explicit Names(const Walk& walk) noexcept : walk_(walk) {}
    std::string btf_type(std::uint32_t btf, std::uint32_t type) const override;
    Map map(std::uint32_t index) const override;

   private:
    const Walk& walk_;
  };
  const Names names;
  Log log;
  mutable std::optional<spec::Rejection> rejection;
  std::vector<InsnInfo> info;     // by instruction
  std::vector<Subprog> subprogs;  // in program order; the first is the main program
  std::vector<const spec::MapView*> maps;
  std::vector<btf::LineInfo> lines;
  std::vector<btf::FuncInfo> funcs;
  const btf::LineInfo* shown_line = nullptr;  // the last that the log showed

  Arena memory;  // of all that states are made of
  FramePool pool{&memory};
  Histories histories{&memory};
  Checkpoints checkpoints{&memory};
  State state;                            // the path that is being walked
  std::size_t index = 0;                  // of the current instruction
  std::size_t next = 0;                   // of the one to go on with
  std::size_t previous = State::kNoInsn;  // of the one before
  bool ended = false;                     // the end of the path was reached
  std::vector<Fork> forks;
  std::unique_ptr<Trail> trail;  // null: nobody will ask how it came here
  Explored* explored = nullptr;  // null: nobody will ask what it claims of registers
  std::uint32_t last_id = 0;
  bool noted_history = false;  // of the current instruction there is an entry
  std::uint32_t insns_processed = 0;
  std::uint32_t jumps_processed = 0;
  Changes changes = Changes::all();
  spec::VerifyStats stats;
  // What accesses asked for, which attaching and the fixups want to know.
  bool writes_packet = false;
  bool enforces_attach_type = false;
  bool explores_alu_limits = false;  // pointer masks depend on ranges, which must then be the same
  std::int64_t max_context_end = 0, max_tp_buffer_end = 0, max_read_buffer_end = 0, max_write_buffer_end = 0;  // bytes
  std::vector<isa::RegisterSet> live_before;  // by instruction; only where the rules ask for it

  const isa::Insn& insn() const noexcept { return input.insns[index]; }
  InsnInfo& insn_info() noexcept { return info[index]; }
  const Frame& frame() const noexcept { return state.frame(); }
  Frame& mutable_frame() { return state.mutable_frame(); }
  // reg() may copy a shared frame; whoever only looks uses peek().
  const Register& peek(unsigned number) const noexcept { return state.frame().registers[number]; }
  Register& reg(unsigned number) { return state.mutable_frame().registers[number]; }
  std::uint32_t new_id() noexcept { return ++last_id; }
  // Maps by the index in a register: those of the input, and behind them the templates of maps of maps.
  const spec::MapView& map(std::uint32_t at) const noexcept { return *maps[at]; }
  std::optional<std::uint32_t> inner_map(std::uint32_t at) const noexcept;  // the template's index
  // The index of the subprogram that starts at this instruction, or that contains it.
  std::optional<std::uint32_t> subprog_at(std::size_t insn) const noexcept;
  std::uint32_t subprog_of(std::size_t insn) const noexcept;

  template <class... Args>
  std::unexpected<Rejected> reject(int code, fmt::format_string<Args...> format, Args&&... args) const {
    rejection = spec::Rejection{code, index, fmt::format(format, std::forward<Args>(args)...)};
    return std::unexpected(Rejected{});
  }
  template <class... Args>
  std::unexpected<Rejected> unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    return reject(EOPNOTSUPP, "not supported yet: {}", fmt::format(format, std::forward<Args>(args)...));
  }
  // A line of the log that is followed by others.
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) {
    if (log.on()) log.line(fmt::format(format, std::forward<Args>(args)...));
  }

  // ---- Registers
  // The operand's register can be read, which is marked; the destination's can be written, which is marked.
  Checked check_read(unsigned number) {
    if (number >= isa::kRegisters - 1) return check_unusual_read(number);
    changes.registers |= 1U << number;
    const Register& value = peek(number);
    if (value.kind == Kind::Unset) return check_unusual_read(number);
    const bool full = value.is_scalar() ? info[index].reads_full_scalar : info[index].reads_full_pointer;
    if (full && value.half_written_by != 0) needs_zero_extension(number);
    mark_read(number, full);
    return {};
  }
  Checked check_write(unsigned number);
  void set(unsigned number, const Register& value) {
    reg(number) = value;
    defined(number);
  }
  // The instruction changed the register in place: notes whether only the lower half was defined.
  void defined(unsigned number) {
    reg(number).half_written_by = info[index].defines_full ? 0 : static_cast<std::uint32_t>(index) + 1;
  }
  // After a call: r1 to r5 hold nothing, r0 is about to be set.
  void clobber_caller_saved();
  // A scalar that is about to be copied needs an id, unless it is a constant.
  void link(Register& source) noexcept;
  // Gives up the ranges of a scalar that contradicts itself, as Linux does; an error when the loader asked for one.
  Checked settle(Register& value, std::string_view where);

  // ---- Liveness and precision (explore/liveness.cc, explore/precision.cc)
  void mark_read(unsigned number, bool full) { mark_read(state.top, number, full); }
  void mark_read(unsigned frame, unsigned number, bool full) {
    if (!(state.marks[frame].written >> number & 1) && state.parent != nullptr) climb_read(frame, number, full);
  }
  void mark_slot_read(unsigned frame, std::size_t slot);
  void mark_written(unsigned number) noexcept {
    state.marks[state.top].written |= static_cast<std::uint16_t>(1U << number);
  }
  void mark_slot_written(unsigned frame, std::size_t slot) noexcept {
    state.marks[frame].slots_written |= std::uint64_t{1} << slot;
  }
  // The scalar in this register of the current frame mattered: all it was computed from does, too.
  Checked mark_precise(unsigned number);
  // Of every instruction that reads or writes a whole stack slot through a pointer: the way back has to know.
  void note_stack_access(unsigned frame, std::size_t slot);
  void note_linked(const LinkedSet& linked);
  // Of every conditional jump that compares an address of the stack.
  void note_stack_operands(bool destination, bool source);
  void note_jump() { note({}); }  // the path came through here

  // ---- Paths
  // Another path that goes on at `insn` from the state as it is; null, and rejected, when there are too many. Valid
  // until the next call. `from` is the current instruction.
  CheckedOf<State*> fork(std::size_t insn, bool speculative = false);

  // ---- References
  std::uint32_t acquire_reference();  // its id
  bool has_reference(std::uint32_t id) const noexcept;
  // Gives up the reference; every register that came from it becomes unknown. False if there is none.
  bool release_reference(std::uint32_t id);
  bool forget_reference(std::uint32_t id);  // registers stay as they are

 private:
  Checked check_unusual_read(unsigned number);
  void needs_zero_extension(unsigned number);
  void climb_read(unsigned frame, unsigned number, bool full);
  void note(const HistoryEntry& what);  // of the current instruction
};

Checked step(Walk& walk);  // the instruction at walk.index

// By group of forms. Each sets walk.next when it is not the following instruction.
Checked step_alu(Walk& walk, isa::Op op, const isa::Insn& insn);            // alu.cc
Checked step_load_constant(Walk& walk, isa::Op op, const isa::Insn& insn);  // constant.cc
Checked step_load(Walk& walk, isa::Op op, const isa::Insn& insn);           // memory/
Checked step_store(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_atomic(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_packet_load(Walk& walk, isa::Op op, const isa::Insn& insn);  // LD_ABS, LD_IND
Checked step_jump(Walk& walk, isa::Op op, const isa::Insn& insn);         // jump.cc
Checked step_helper_call(Walk& walk, const isa::Insn& insn);              // helper/
Checked step_kfunc_call(Walk& walk, const isa::Insn& insn);               // call/
Checked step_local_call(Walk& walk, const isa::Insn& insn);
Checked step_exit(Walk& walk, const isa::Insn& insn);

}  // namespace skep::verifier
