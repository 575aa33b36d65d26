// What a call means for the flow of a program: whether it calls back, and what it does to its caller's surroundings.
//
// Of helpers the table of spec/ says so; kernel functions are told by name. Tested by:
// verifier/prepare/prepare_test.cc.
#pragma once

#include <string_view>

#include "verifier/prepare/code.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

struct Callee {
  bool calls_back = false;        // before it returns
  bool calls_back_later = false;  // some time after
  bool is_iterator_next = false;  // its loop ends when states meet
  bool changes_packet = false;    // packet pointers are worthless afterwards
  bool might_sleep = false;
};
// Of a call of a helper or kernel function; nothing of a subprogram's.
Callee callee_of(const Walk& walk, const isa::Insn& insn);

// The name of the kernel function that is called; empty when there is none of that number.
std::string_view kfunc_name(const Walk& walk, const isa::Insn& insn);

}  // namespace skep::verifier
