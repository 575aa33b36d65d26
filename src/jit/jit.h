// The baseline compiler: images to machine code of the x86-64 they run on, in two linear passes.
//
// Trusts the program as a verifier would have accepted it: no access is checked. What it does beyond the instructions
// (calls, tail calls, callbacks, limits, stopping) is what the interpreter does; docs/design/jit.md says how, and where
// limits differ. Loads are plain loads: those a kernel would guard (BPF_PROBE_MEM) go through pointers to kernel
// objects, and there are none here.
//
// An Executable is immutable but for code it makes at the first run with a budget, and may run in any number of
// threads, in signal handlers (with a budget only if it ran with one before), and within a helper of another run; all
// state of a run is on the stack of its caller. Cost: binding some tens of nanoseconds an instruction and 4 to 5 bytes
// of code; a run some nanoseconds besides the program. Where it cannot be had (another processor, executable memory
// denied), binding fails and the caller takes another engine. Tested by: jit/*_test.cc, jit/x64/*_test.cc,
// runtime/engines_test.cc, fuzz/jit_fuzz.cc.
#pragma once

#include <memory>

#include "base/result.h"
#include "exec/executable.h"

namespace skep::jit {

// The image with its relocations answered by `bindings`, whose maps must outlive the result. ENOENT when a map is not
// there; EINVAL when it has no memory at an offset the program loads, or calls nest deeper than a verifier allows;
// ENOTSUP on other processors; ENOMEM, EPERM, EACCES ... of code_memory.h. A helper without a body stops the program
// when it is called (BadCall), not here.
Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image,
                                               const exec::Bindings& bindings);

// Whether there is a compiler for this processor and memory to put its code in; the error says why not.
Result<> available();

}  // namespace skep::jit
