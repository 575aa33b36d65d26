// Compile once, run everywhere: what a relocation of a program's BTF means for the types of a kernel.
//
// Compilers note where a program depends on the layout of a type: instruction, type, a path of indices ("0:1:2":
// element 0 of what the type is pointed at as, member 1 of that, member or element 2 of that) or an enumerator, and
// what of it the instruction holds. relocate() finds the same type by name, and the same path by the names of members,
// among the kernel's, and says what the instruction ought to hold. "___" and what follows in a local name is not part
// of it. Loaders do this themselves; BPF_PROG_LOAD does it for programs that load programs (core_relos). Source: kernel
// documentation, bpf/llvm_reloc; tried on Linux 6.18. Cost: a look-up by name and a walk along the path.
// Tested by: hive/prog_core_test.cc (against the running kernel).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "btf/btf.h"

namespace skep::btf {

enum class CoreKind : std::uint32_t {
  FieldOffset,  // bytes
  FieldSize,    // bytes
  FieldExists,
  FieldSigned,
  FieldLeftShift,  // of the 64 bits that hold a bit field
  FieldRightShift,
  LocalTypeId,
  TypeId,
  TypeExists,
  TypeSize,
  EnumeratorExists,
  EnumeratorValue,
  TypeMatches,
};

// struct bpf_core_relo
struct CoreRelocation {
  std::uint32_t insn_off;  // bytes
  std::uint32_t type_id;   // of the program's BTF
  std::uint32_t access_str_off;
  CoreKind kind;
};
static_assert(sizeof(CoreRelocation) == 16);

struct CoreValue {
  bool is_there = true;  // false: the instruction must not be reached
  std::uint64_t value = 0;
  // Of a field that is read or written: how large it is for the program and for the kernel, and whether one may be
  // taken for the other when they differ.
  std::uint32_t local_bytes = 0, bytes = 0;
  bool is_resizable = false;
};

// EINVAL: a type, path or kind that makes no sense. EOPNOTSUPP: TypeMatches.
Result<CoreValue> relocate(const Btf& local, const Btf& kernel, const CoreRelocation& relocation);

}  // namespace skep::btf
