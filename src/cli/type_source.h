// Where the types of keys, values and records come from when a map does not bring them: an object file, a file of raw
// BTF, or C text. Tested by: tests/map_command.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "btf/btf.h"
#include "cli/exit_codes.h"

namespace skep::cli {

// The BTF of an object file, or a file that is nothing else. Input.
Expected<std::unique_ptr<btf::Btf>> read_types(const std::string& file);

// The structure, union, enumeration, typedef or integer with this name ("struct flow", "flow", "u32").
std::optional<std::uint32_t> find_type(const btf::Btf& types, std::string_view name);

// C types ("u32", "struct { u64 count; char name[16]; }") as clang says them. `header` may name a file they need.
struct CompiledTypes {
  std::unique_ptr<btf::Btf> types;
  std::uint32_t key = 0, value = 0;
};
// Input: no compiler, or the compiler's messages.
Expected<CompiledTypes> compile_types(const std::string& key, const std::string& value, const std::string& header);

}  // namespace skep::cli
