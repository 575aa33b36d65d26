// Whether a pointer in BTF is to the context of a program type.
//
// An argument is the context when it points to the structure that bears its name (spec/context_types.def), or when it
// is tagged "arg:ctx"; then it may also point to what some program types have instead, or to nothing. Tested by:
// verifier/explore/call_test.cc.
#pragma once

#include <cstdint>

#include "btf/btf.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

// `target`: what the pointer points to, modifiers and all.
bool is_context(Walk& walk, const btf::Btf& types, std::uint32_t target, unsigned argument);
// Of a tagged argument: EINVAL, with what it should be.
Checked check_tagged_context(Walk& walk, const btf::Btf& types, std::uint32_t target, unsigned argument);

}  // namespace skep::verifier
