// The reference engine: runs images by interpretation, with the meaning of each instruction taken from isa/eval.h.
//
// An image is translated once into pre-decoded instructions (interp/code.h) and run by one loop with threaded dispatch
// (interp/loop.cc), instantiated per policy:
//   Plain    trusts the program as a verifier would have accepted it: no access is checked
//   Checked  checks each access against the live objects (interp/objects.h) and each helper argument against the
//            helper's row in spec/; stops the program with an exec::Failure that says what went wrong and where
// Both count instructions when Call::budget is set, and leave what remains of it there. Both limit call depth, tail
// calls and the loops of may_goto themselves, so these are never beyond a program's control.
//
// An Executable is immutable and may run in any number of threads, in signal handlers, and within a helper of another
// run: all state of a run is on the stack of its caller, about 5 KiB plain and 10 KiB checked, 45 KiB if the program
// makes tail calls. Cost: binding some tens of nanoseconds an instruction; running 1-2 ns an instruction plain. Tested
// by: interp/conformance_test.cc (the public vectors, both policies), interp/*_test.cc, fuzz/interp_fuzz.cc.
#pragma once

#include <memory>

#include "base/result.h"
#include "exec/executable.h"

namespace skep::interp {

// Strict: as Checked, and what a helper that failed was to write is as it was before. Verifiers take it for written.
enum class Policy : std::uint8_t { Plain, Checked, Strict };

// The image with its relocations answered by `bindings`, whose maps must outlive the result. ENOENT when a map is not
// there, EINVAL when it has no memory at an offset the program loads. A helper without a body stops the program
// when it is called (BadCall), not here.
Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               Policy policy);

}  // namespace skep::interp
