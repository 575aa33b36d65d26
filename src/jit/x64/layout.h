// How compiled code is laid out: which instruction each piece of it was written for, and where its frames are while it
// runs. For those who show code, name its lines, or unwind through it; the order must ask for it (Wanted::Layout).
//
// Offsets count from the first byte of the code. Compiling is deterministic: the same order gives the same code, so a
// layout may be made long after the code, by compiling again. Tested by: jit/x64/compile_test.cc, jit/unwind_test.cc.
#pragma once

#include <cstdint>
#include <vector>

namespace skep::jit::x64 {

// A step of a function's frame, behind the machine instruction that takes it.
struct FrameStep {
  enum class Kind : std::uint8_t {
    Push,      // of `reg`
    Pop,       // of `reg`
    Grow,      // the stack pointer went down by `bytes`
    Link,      // rbp is the stack pointer from here on, until it is popped or Leave
    Leave,     // rsp = rbp, rbp popped
    Epilogue,  // one begins: what it undoes is whole again ...
    Resume,    // ... here, behind its return or jump
  };
  std::uint32_t offset = 0;
  Kind kind = Kind::Push;
  std::uint8_t reg = 0;  // the processor's number
  std::uint32_t bytes = 0;
};

struct Layout {
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0}, kTable = kNoSlot - 1;
  // Code from `offset` on, up to the next piece, was written for the instruction at `slot` (and those that were written
  // together with it). A function's first piece is its prologue, under the number of its first instruction.
  struct Piece {
    std::uint32_t offset = 0, slot = 0;  // kNoSlot: what all functions share; kTable: a jump table, which is no code
  };
  std::vector<Piece> pieces;      // sorted by offset
  std::vector<FrameStep> frames;  // sorted by offset
  std::uint32_t shared = 0;       // where what all functions share begins: behind the last of them

  // By slot of `slots`: where the code of the instruction begins, or of the next one that has any.
  std::vector<std::uint32_t> offsets(std::size_t slots) const;
};

}  // namespace skep::jit::x64
