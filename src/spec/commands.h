// The commands of bpf(2) and the rule about attributes that are longer than a command knows.
//
// Two sizes meet in a call: the caller's and ours. Beyond our union the caller's bytes must be zero (E2BIG); beyond the
// command's last field, up to the size of our union, they must be zero as well (EINVAL). A shorter attribute is
// extended with zeros. Cost: a look at the bytes behind the last field. Source: bpf(2); tried on a kernel. Tested by:
// spec/commands_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spec/attr.h"

namespace skep::spec {

enum class Command : std::uint32_t {
#define COMMAND(id, Name, ...) Name = id,
#include "spec/commands.def"
#undef COMMAND
};

enum class Where : std::uint8_t { Local, Host };

struct CommandInfo {
  Command command;
  std::string_view name;   // "map_create"
  std::size_t attr_bytes;  // up to and with the last field
  Where where;
};

inline constexpr std::size_t kMaxAttrBytes = 4096;  // a page: a longer attribute is E2BIG

const CommandInfo& info(Command command) noexcept;
// Null when there is no such command (bpf(2) then says EINVAL).
const CommandInfo* find_command(std::uint32_t number) noexcept;

// Whether the bytes of `attr` behind the last field of `command` are zero; EINVAL if not.
bool known_fields_only(Command command, const Attr& attr) noexcept;

}  // namespace skep::spec
