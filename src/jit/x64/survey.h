// What is to be known of a program before its code is written, found in one pass: where jumps lead, and what each
// subprogram needs of a frame. Internal to jit/.
//
// Tested by: jit/x64/compile_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "exec/image.h"
#include "exec/relocate.h"
#include "isa/op.h"

namespace skep::jit::x64 {

struct Function {
  std::uint32_t start = 0, end = 0;  // of its instructions
  std::uint32_t stack = 0;           // bytes below the frame pointer that it may touch
  isa::RegisterSet writes = 0;
  isa::RegisterSet arguments = 0;  // registers that may be read as they were when it was entered
  bool frame_pointer = false;      // r10 is used
  bool calls = false;              // anything: the machine stack must be aligned then
  bool may_goto = false;
  bool tail_calls = false;     // itself, or in what it calls
  bool is_leaf = true;         // calls no function of the program, and hands none to a helper
  bool address_taken = false;  // it may be a callback
  bool loops = false;
  bool is_small = false;  // so that it may be written in place of its calls: it has no frame and calls nothing
};

// A number put together from bytes of memory: what one load from `base` gives.
struct JoinedBytes {
  std::uint32_t slot = 0;  // of the or that completes it
  std::int32_t offset = 0;
  std::uint8_t base = 0;
  std::uint8_t bytes = 0;  // 2, 4 or 8
  bool swapped = false;    // the first byte is the highest
};

// An instruction whose result is always the same.
struct Constant {
  std::uint32_t slot = 0;
  std::uint64_t value = 0;
};

// A short loop, whose instructions are written several times in a row: a processor takes a jump in each cycle at most.
struct ShortLoop {
  std::uint32_t first = 0, end = 0;  // of its instructions
  std::uint32_t jump = 0;            // the jump back; the one before it where that leads out and past the jump back
  std::uint32_t times = 1;
};

// A loop whose head, a few instructions and the condition on which it ends, is written again in place of the jump back
// to it: one jump a round instead of two.
struct RotatedLoop {
  std::uint32_t back = 0;               // the jump back
  std::uint32_t first = 0, branch = 0;  // the head: its first instruction, and the conditional jump that ends it
  bool stays = false;                   // the loop goes on where that jump is taken; otherwise behind it
};

// The index that a look-up in an array or a tail call is made with.
struct Index {
  static constexpr unsigned kNone = 16;
  unsigned reg = kNone;   // that holds it, when the call is made, in its lower half
  bool is_whole = false;  // and nothing else
  std::uint32_t least = 0, most = UINT32_MAX;
  bool is_constant() const noexcept { return least == most; }
};

// A call of a helper that is written in its place (inline.cc), and what its arguments are known to be.
struct InlinedCall {
  static constexpr std::int32_t kNotInFrame = 0;
  std::uint32_t slot = 0;
  std::int32_t key_in_frame = kNotInFrame;  // the key that r2 points to: where it is from r10
  Index index = {};                         // the key, or the slot of a tail call
  // Of the map in r1; in r2 of a tail call. Of a record that is submitted or discarded: the ring buffer that it is most
  // likely of, whose consumer may wait; null: nobody is to be woken.
  const maps::Recipe* recipe = nullptr;
  std::size_t callback = 0;                    // the function in r2 that a loop calls
  std::uint32_t from_bytes = 0, to_bytes = 0;  // of memory whose checksums are compared
  std::uint32_t bytes = 0;          // that are copied from the packet or to it, compared with `text`, reserved
  const std::byte* text = nullptr;  // which nobody can change
  // What the call itself needs besides what the program puts into registers for it: numbers that are known.
  struct Argument {
    unsigned number = 0;  // of its register; 0: none
    std::uint64_t value = 0;
  };
  std::array<Argument, 3> known = {};
};

// Comparisons of one register with constants that are written as one, at the first of them (compare_chains.cc): what
// each of the register's values leads to. Values stand in the order of the comparisons as keys that are compared
// unsigned.
struct CompareChain {
  struct Range {
    std::uint64_t first = 0;   // the key it begins with; it ends before the next
    std::uint32_t target = 0;  // slot
  };
  struct Part {
    std::uint32_t first = 0, end = 0;  // ranges: one, or several that a table tells apart
    bool is_table() const noexcept { return end - first > 1; }
  };
  std::uint32_t slot = 0;
  std::uint8_t reg = 0, bits = 0;
  bool is_signed = false;
  std::vector<Range> ranges;  // all values, sorted
  std::vector<Part> parts;    // all ranges, sorted

  std::uint64_t last_key() const noexcept { return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1; }
  std::uint64_t key(std::int64_t number) const noexcept {
    return (static_cast<std::uint64_t>(number) & last_key()) ^ sign();
  }
  // With the sign that 32 or 64 bits give it, as immediates have.
  std::int64_t number(std::uint64_t key) const noexcept {
    const auto value = static_cast<std::int64_t>(key ^ sign());
    return bits == 64 ? value : static_cast<std::int32_t>(value);
  }
  std::uint64_t last_of(std::uint32_t range) const noexcept {
    return range + 1 < ranges.size() ? ranges[range + 1].first - 1 : last_key();
  }
  // The number of values of a part, which is not all.
  std::uint64_t values_of(Part part) const noexcept { return last_of(part.end - 1) - ranges[part.first].first + 1; }

 private:
  std::uint64_t sign() const noexcept { return is_signed ? last_key() / 2 + 1 : 0; }
};

// Whether there may be jump tables.
enum class Tables : std::uint8_t { No, Yes };

// Whether helpers are written in place of their calls, where that can be.
enum class Helpers : std::uint8_t { InPlace, Called };

// What is known of the process an image is bound in.
struct Surroundings {
  std::span<const std::uint64_t> values = {};
  std::span<const maps::Recipe> recipes = {};
  std::span<maps::Map* const> maps = {};
  Helpers helpers = Helpers::InPlace;
};

struct Survey {
  using Flags = std::uint16_t;
  static constexpr Flags kFirst = 1;        // slot of an instruction
  static constexpr Flags kTarget = 2;       // of a jump
  static constexpr Flags kBlock = 4;        // control may come here without running the instruction before
  static constexpr Flags kLoop = 8;         // of a jump backwards
  static constexpr Flags kEntry = 16;       // of a function
  static constexpr Flags kJoined = 32;      // completes a number of several bytes: a row of `joined`
  static constexpr Flags kInlined = 64;     // a call written in its place: a row of `inlined`
  static constexpr Flags kTargets = 128;    // of more than one jump
  static constexpr Flags kChained = 256;    // written with others at the first of them, a row of `chains`
  static constexpr Flags kLeftOut = 512;    // of no effect: nothing is written for it
  static constexpr Flags kAlways = 1024;    // a jump whose condition always holds
  static constexpr Flags kConstant = 2048;  // its result is known: a row of `constants`
  static constexpr Flags kHot = 4096;       // each round of a loop goes on here by a jump
  static constexpr Flags kArena = 8192;     // accesses an arena's memory

  // What an instruction does to registers: isa::reads() and isa::writes().
  struct Use {
    isa::RegisterSet reads = 0, writes = 0;
  };
  std::vector<isa::Op> ops;         // by slot; Invalid for second slots
  std::vector<Flags> flags;         // by slot
  std::vector<Use> uses;            // by slot
  std::vector<Function> functions;  // as the image's subprograms
  // By slot: registers that may be read after the instruction and before they are written, but for reads whose result
  // is never read.
  std::vector<isa::RegisterSet> live;
  std::vector<JoinedBytes> joined;         // sorted by slot
  std::vector<InlinedCall> inlined;        // sorted by slot
  std::vector<Constant> constants;         // sorted by slot
  std::vector<ShortLoop> short_loops;      // sorted; none within another
  std::vector<RotatedLoop> rotated_loops;  // sorted
  std::vector<CompareChain> chains;        // sorted by slot, if they were looked for
  std::size_t neighbours = 0;              // comparisons with constants, each behind another of the same register
  bool uses_call = false;                  // something needs the exec::Call
  bool callbacks = false;                  // functions whose address is taken: helpers may run code
  bool stops = false;                      // an engine may have to stop the program
  bool at(std::size_t slot, Flags flag) const noexcept { return (flags[slot] & flag) != 0; }

  // EINVAL when calls nest deeper than frames are allowed, which no verifier lets through.
  static Result<Survey> of(const exec::Image& image, const Surroundings& surroundings = {});
  // Nobody looks at what the instruction does.
  void leave_out(std::uint32_t slot) noexcept { flags[slot] |= kLeftOut, uses[slot] = {}; }
  // Of a slot with kInlined.
  const InlinedCall& inlined_at(std::uint32_t slot) const noexcept;
  // That begins at a slot; null: none does.
  const ShortLoop* short_loop_at(std::uint32_t slot) const noexcept;
  // That ends with the jump at a slot; null: none does.
  const RotatedLoop* rotated_loop_at(std::uint32_t slot) const noexcept;
  // Of a slot with kConstant.
  std::uint64_t constant_at(std::uint32_t slot) const noexcept;
  // Of a slot with kJoined.
  const JoinedBytes& joined_at(std::uint32_t slot) const noexcept;
  // Of a slot with kChained; null unless it is the first of its chain.
  const CompareChain* chain_at(std::uint32_t slot) const noexcept;
  // The function that starts at a slot, which one does.
  std::size_t function_at(std::uint32_t slot) const noexcept;
};

// Fills survey.joined (joined_bytes.cc).
void find_joined_bytes(const exec::Image& image, Survey& survey);
// Fills survey.constants, and marks what never runs, and jumps that are always or never taken (known_results.cc).
void find_known_results(const exec::Image& image, Survey& survey);
// Fills survey.short_loops and survey.rotated_loops (loops.cc).
void find_loops(const exec::Image& image, Survey& survey);
// Fills survey.inlined (inlined_calls.cc); what such a call reads is no more than its code does.
void find_inlined_calls(const exec::Image& image, const Surroundings& surroundings, Survey& survey);
// Fills survey.chains (compare_chains.cc).
void find_compare_chains(const exec::Image& image, Tables tables, Survey& survey);

// Whether all that an operation does is to set its destination.
inline bool is_pure(isa::Op op) noexcept {
  using enum isa::Form;
  const isa::Form form = isa::form(op);
  return form == AluImm || form == AluReg || form == MovImm || form == MovReg || form == AluUnary ||
         form == LoadImm64 || form == Load || form == LoadSx;
}

inline constexpr std::int32_t kTailCall = 12;               // id of bpf_tail_call
inline constexpr isa::RegisterSet kSavedRegisters = 0x3c0;  // r6 to r9: of the caller, in every function

}  // namespace skep::jit::x64
