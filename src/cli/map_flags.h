// Flags of BPF_MAP_CREATE as text. Tested by: tests/map_command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skep::cli {

std::optional<std::uint32_t> map_flag(std::string_view name);
std::vector<std::string_view> map_flag_names();
// "no_prealloc, mmapable"; what has no name in hexadecimal; empty for 0.
std::string map_flags_text(std::uint32_t flags);

}  // namespace skep::cli
