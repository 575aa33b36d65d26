// The state of one run: frames of subprogram calls and their stacks. Lives on the C stack of Executable::run, so that
// runs nest and signal handlers may run programs. Internal to interp/.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "exec/call.h"
#include "exec/failure.h"
#include "interp/program.h"
#include "spec/uapi.h"

namespace skep::interp {

// Iterations that all may_goto instructions of a frame share before they jump (Linux BPF_MAX_LOOPS).
inline constexpr std::uint32_t kMayGotoLoops = spec::kMaxLoops;
// Frames of a run whose programs make tail calls: each of them may call below the frame it was reached in. And of
// several programs in one (Image::is_deep).
inline constexpr unsigned kManyFrames = 64;

class Objects;

struct Frame {
  const Code* back;                    // where the caller goes on
  std::array<std::uint64_t, 5> saved;  // the caller's r6-r9 and r10
  std::uint32_t may_goto;
  const Program* program;  // the caller's: a tail call in a subprogram replaces only that
};

struct Machine {
  exec::Call& call;
  const Program* program;
  Mode mode;
  unsigned frame_limit;
  Frame* frames;
  std::byte* stacks;  // frame_limit * isa::kStackBytes
  unsigned depth = 0;
  std::uint64_t budget = 0;            // instructions left; valid while the loop is not running
  const Code* at = nullptr;            // the call whose helper runs
  Objects* objects = nullptr;          // of the checked policy
  const spec::Facts* facts = nullptr;  // of the program, for the checked policy to compare with; null: none

  std::uint64_t frame_pointer() const noexcept {
    return reinterpret_cast<std::uint64_t>(stacks + (depth + std::size_t{1}) * isa::kStackBytes);
  }
};

// Stops the program at `pc`: fills call.failure and returns what the loop returns.
std::uint64_t stop(Machine& machine, const Code* pc, exec::Failure::Kind kind, std::string_view object) noexcept;

// Stops the program at `pc` for the fault that objects found.
std::uint64_t stop_fault(Machine& machine, const Code* pc) noexcept;

// A tail call to a program of another engine: its return value, or call.stopped.
std::uint64_t run_other(Machine& machine, const exec::Executable& target) noexcept;

}  // namespace skep::interp
