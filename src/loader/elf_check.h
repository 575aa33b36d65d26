// Whether bytes are a well-formed BPF object file, asked before libbpf and libelf see them: both trust the offsets in a
// file more than a hostile file deserves.
//
// Strict: ELF64, relocatable, for BPF, of this machine's byte order; every table, name, symbol and relocation
// inside what holds it; .BTF sound (btf_check.h), .BTF.ext's records inside
// their section. Linear in the file. Source: System V ABI, chapter 4 and 5; kernel documentation bpf/btf.
// Tested by: loader/elf_check_test.cc, fuzz/object_fuzz.cc.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

// Errors are ENOEXEC and name what was found where.
Result<> check_elf(Bytes file);

}  // namespace skep::loader
