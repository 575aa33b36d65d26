// BTF as C declarations, in the order that a compiler takes them: what `bpftool btf dump ... format c` prints.
//
// libbpf writes them. It is given bytes that btf_check.h has found sound. Tested by: tests/prog_command.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace skep::loader {

// All types, or with `roots` these and what they need. Errors: EINVAL for bytes that are no BTF, or a root that is no
// type; ENOMEM.
Result<std::string> c_declarations(Bytes btf, std::span<const std::uint32_t> roots = {});

}  // namespace skep::loader
