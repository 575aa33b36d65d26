// Whether a .BTF section is sound enough for libbpf to walk, which takes ids, names and chains on trust.
//
// Less than what bpf(2) asks of BTF: clang leaves data sections without sizes, and libbpf fills them in. Checked are
// the bounds of everything, that ids and names exist, that references go to the right kinds, and that nothing contains
// itself. Linear. Source: kernel documentation bpf/btf. Tested by: loader/btf_check_test.cc, fuzz/object_fuzz.cc.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

// Errors are ENOEXEC and name the type.
Result<> check_btf(Bytes btf);

}  // namespace skep::loader
