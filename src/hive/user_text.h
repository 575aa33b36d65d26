// Strings of a caller, whose ends he alone knows.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "hive/caller.h"

namespace skep::hive {

// A path: EFAULT, or ENAMETOOLONG.
Result<std::string> read_path(Caller& caller, std::uint64_t address);
// The first 127 characters of a name: EFAULT.
Result<std::string> read_name(Caller& caller, std::uint64_t address);

}  // namespace skep::hive
