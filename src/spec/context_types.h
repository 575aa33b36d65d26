// The names of the structures that contexts are, for programs and in the kernel.
//
// A function's argument is its context when it points to a structure of that name; what the structure holds is not
// compared. Source: context_types.def. Tested by: spec/context_types_test.cc, against the running kernel's BTF.
#pragma once

#include <string_view>

#include "spec/types.h"

namespace skep::spec {

struct ContextType {
  std::string_view program;  // "__sk_buff"; empty: a plain pointer
  std::string_view kernel;   // "sk_buff"
};

ContextType context_type(ProgType type) noexcept;

}  // namespace skep::spec
