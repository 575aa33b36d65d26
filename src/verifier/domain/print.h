// Scalars as the kernel verifier's log shows them: "5", "scalar(smin=smin32=-128,smax=smax32=127)".
//
// What says nothing is left out; a 32-bit bound that equals an earlier bound of the same sign is merged into it;
// numbers are decimal while they fit 16 bits, else hexadecimal. Tested by: verifier/domain/kernel_test.cc.
#pragma once

#include <cstdint>
#include <string>

#include "verifier/domain/scalar.h"

namespace skep::verifier {

using Tnum64 = Tnum<64>;
using Scalar64 = Scalar<64>;

void append_signed(std::string& out, std::int64_t x);
void append_unsigned(std::string& out, std::uint64_t x);
void append(std::string& out, const Tnum64& bits);  // "(0x0; 0xff)"; a constant is a number

// The list "smin=..,umax=..,var_off=(..)" with `separator` before its first element, which afterwards is ",": for
// use inside the brackets of a register. Appends nothing for a scalar of which nothing is known.
void append_knowledge(std::string& out, const Scalar64& scalar, const char*& separator);

// The whole: a constant as its number, anything else as "scalar(...)".
std::string to_text(const Scalar64& scalar);

}  // namespace skep::verifier
