// What the facts pass makes of numbers, beyond what the domain's releases follow: divisions, byte order, negation.
//
// Each is sound in the sense of domain/alu.h: for every d in dst and s in src, isa::eval of both is in the result.
// Tested by: verifier/facts/numbers_test.cc, by all operations on drawn operands.
#pragma once

#include "isa/eval.h"
#include "verifier/domain/alu.h"
#include "verifier/facts/value.h"

namespace skep::verifier {

// All numbers of the low `bits` bits, the rest zero; and those extended by their sign.
Number zero_extended(unsigned bits) noexcept;
Number sign_extended(unsigned bits) noexcept;

// dst op src, for every AluOp; `src` is ignored by those that have none.
Number computed(isa::AluOp op, Part part, const Number& dst, const Number& src) noexcept;

}  // namespace skep::verifier
