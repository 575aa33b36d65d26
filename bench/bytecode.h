// The instructions of a benchmark program from its object file: the .text section as it is. The programs have no maps,
// no data and no relocations, so no loader is needed; an object that has any is refused.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "isa/insn.h"

namespace skep::bench {

// ENOENT if the file is not there, EINVAL if it is not such an object.
Result<std::vector<isa::Insn>> read_bytecode(const std::string& path);

}  // namespace skep::bench
