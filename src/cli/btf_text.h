// BTF types one by one, in bpftool's words: what `bpftool btf dump` prints, and the same as JSON.
// Tested by: tests/prog_command (against bpftool's own output).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "btf/btf.h"

namespace skep::cli {

// {"id": 2, "kind": "INT", "name": "int", "size": 4, ...}; members, values, parameters and variables are a list.
nlohmann::ordered_json type_json(const btf::Btf& types, std::uint32_t id);
// "[2] INT 'int' size=4 ...", and a line for each member. No newline at the end.
std::string type_text(const btf::Btf& types, std::uint32_t id);

}  // namespace skep::cli
