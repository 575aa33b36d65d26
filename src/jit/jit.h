// The baseline compiler: images to machine code of the x86-64 they run on, in two linear passes.
//
// Trusts the program as a verifier would have accepted it: no access is checked. What it does beyond the instructions
// (calls, tail calls, callbacks, limits, stopping) is what the interpreter does; docs/design/jit.md says how, and where
// limits differ. Loads are plain loads, those that a kernel would guard (BPF_PROBE_MEM, Image::probed) too: programs
// that have such loads and anything to load there are the interpreter's.
//
// An Executable is immutable but for code it makes at the first run with a budget, and may run in any number of
// threads, in signal handlers (with a budget only if it ran with one before), and within a helper of another run; all
// state of a run is on the stack of its caller. Cost: binding some tens of nanoseconds an instruction and 4 to 5 bytes
// of code; a run some nanoseconds besides the program. Where it cannot be had (another processor, executable memory
// denied), binding fails and the caller takes another engine. Tested by: jit/*_test.cc, jit/x64/*_test.cc,
// runtime/engines_test.cc, fuzz/jit_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "exec/executable.h"

namespace skep::jit {

// What compiled code does against whoever writes programs to attack the process that runs them, or trains the
// processor's guesses (docs/design/jit.md, Hardening). The first two cost speed; the third costs only programs whose
// verifier asked for barriers, which are those of the unprivileged.
struct Hardening {
  bool blinding = false;    // the program's constants do not stand in its code: jit/x64/blinding.cc
  bool retpolines = false;  // no indirect jump or call in it that the processor could guess
  bool barriers = true;     // Image::barriers are honoured
};

// Which tools are told of compiled code: the rows of jit/tools.def. Telling costs microseconds a program, and a file.
struct Tools {
#define TOOL(name, text, how) bool name = false;
#include "jit/tools.def"
  bool any() const noexcept {
    return false
#define TOOL(name, text, how) || name
#include "jit/tools.def"
        ;
  }
};
// Of a list such as "perf-map,gdb". EINVAL, and which there are.
Result<Tools> tools_of(std::string_view list);

struct Options {
  Hardening hardening = {};
  Tools tools = {};
};

// The image with its relocations answered by `bindings`, whose maps must outlive the result. ENOENT when a map is not
// there; EINVAL when it has no memory at an offset the program loads, or calls nest deeper than a verifier allows;
// ENOTSUP on other processors; ENOMEM, EPERM, EACCES ... of code_memory.h. A helper without a body stops the program
// when it is called (BadCall), not here.
Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               const Options& options = {});

// A compiled program as it stands in memory, for those who show it: as long as the program lives.
struct Function {
  std::string name;                      // of the image's subprogram; empty when unknown
  std::uint32_t insn = 0;                // its first
  std::span<const std::byte> code = {};  // with the last: what all functions share, and jump tables
};
std::vector<Function> functions(const exec::Executable& program);  // empty: it is not compiled
bool blinded(const exec::Executable& program);

// Which instruction each piece of the code was written for. Compiles the program again to find out.
struct Piece {
  static constexpr std::uint32_t kShared = ~std::uint32_t{0}, kTable = kShared - 1;
  const std::byte* code = nullptr;
  // kShared: the ends of all functions; kTable: a jump table, of 32-bit distances from its beginning. A function's
  // first piece is its prologue.
  std::uint32_t insn = 0;
};
std::vector<Piece> pieces(const exec::Executable& program);
// By instruction of the image: where its code begins, or that of the next one that has any.
std::vector<const std::byte*> addresses(const exec::Executable& program);

// Whether there is a compiler for this processor and memory to put its code in; the error says why not.
Result<> available();

}  // namespace skep::jit
