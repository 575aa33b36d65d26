// Whether bytes are a well-formed BPF object file, asked before libbpf and libelf see them: both trust the offsets in a
// file more than a hostile file deserves.
//
// Strict: ELF64, relocatable, for BPF, of this machine's byte order; every table, name, symbol and relocation
// inside what holds it; .BTF.ext's records inside their section. .BTF itself is handed to `check_btf`, as
// the loader knows no BTF. Linear in the file. Source: System V ABI, chapter 4 and 5; kernel documentation bpf/btf.
// Tested by: loader/elf_check_test.cc, fuzz/object_fuzz.cc.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

using BtfCheck = Result<> (*)(Bytes btf);

// Errors are ENOEXEC and name what was found where.
Result<> check_elf(Bytes file, BtfCheck check_btf);

}  // namespace skep::loader
