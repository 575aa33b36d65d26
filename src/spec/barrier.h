// Where a program of the unprivileged must not run ahead of itself.
//
// A processor runs instructions on guesses, and what it reads on a wrong one can be found out. Where the verifier saw
// that such a run could leave an object (pointer arithmetic by a number whose bounds only a comparison promises) or
// read what a store was to have replaced, it asks for a barrier: nothing behind it begins before all before it is
// settled. Linux narrows arithmetic by masks instead, which change no result either; a barrier needs no bounds to be
// right and holds for every path. Programs of those who may look into the kernel anyway (CAP_PERFMON) have none. Tested
// by: tests/jit/hardening_test.cc.
#pragma once

#include <cstdint>

namespace skep::spec {

struct Barrier {
  enum class Where : std::uint8_t { Before, Behind };
  std::uint32_t insn = 0;
  Where where = Where::Before;
};

}  // namespace skep::spec
