// The parts of a call of a kernel function; behind walk.h's step_kfunc_call(), for the steps in this folder only.
//
// What the function takes is in the kernel's BTF: the types of its parameters, and the endings of their names ("__sz":
// the size of the memory before). What else holds of it is its row in spec/kfuncs.def. Arguments are checked from r1
// on; what is learnt of them is gathered in KfuncCall. Tested by: verifier/explore/call_test.cc and the selftests.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "spec/kfuncs.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

// The first (highest) of the slots of an iterator.
struct IteratorPlace {
  unsigned frame = 0;
  std::size_t slot = 0;
};

// A dynptr that was handed over.
struct GivenDynptr {
  DynptrType type = DynptrType::Invalid;
  std::uint32_t id = 0;
  std::uint32_t ref_obj_id = 0;
};

struct KfuncCall {
  const spec::Kfunc& row;
  const btf::Btf& types;  // the kernel's
  std::uint32_t id;       // of the function in it
  btf::Type proto;
  std::uint32_t ref_obj_id = 0;                // of the last argument that carries a reference
  unsigned released = 0;                       // the register whose reference is given up; 0: none
  std::optional<std::uint64_t> constant = {};  // of the argument that must be one
  std::uint32_t result_size = 0;               // bytes behind the pointer that is returned, when an argument says so
  bool result_is_read_only = false;
  std::optional<IteratorPlace> iterator = {};
  GivenDynptr dynptr = {};
  std::uint32_t context_type = 0;  // of bpf_cast_to_kern_ctx

  std::string_view name() const noexcept { return row.name; }
  bool is(spec::KfuncTrait which) const noexcept { return row.is(which); }
};

// kfunc_arguments.cc
Checked check_kfunc_arguments(Walk& walk, KfuncCall& call);
// kfunc_iterator.cc
Checked check_iterator(Walk& walk, unsigned number, KfuncCall& call);
Checked next_of_iterator(Walk& walk, const KfuncCall& call);
// kfunc_result.cc: r1 to r5 hold nothing, r0 what the function returns.
Checked set_kfunc_result(Walk& walk, const KfuncCall& call);

// The kernel's name of what lies behind a register that is no BTF pointer but could be: sockets and maps; else empty.
std::string_view kernel_type_behind(Kind kind) noexcept;

}  // namespace skep::verifier
