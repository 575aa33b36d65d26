#include "spec/commands.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace skep::spec {
namespace {

// Rows are in the order of the numbers, without gaps.
constexpr std::array kCommands{
#define COMMAND(id, Name, text, last, where_) \
  CommandInfo{Command::Name, #text, offsetof(Attr, last) + sizeof(Attr::last), Where::where_},
#include "spec/commands.def"
#undef COMMAND
};

}  // namespace

const CommandInfo& info(Command command) noexcept { return kCommands[static_cast<std::size_t>(command)]; }

const CommandInfo* find_command(std::uint32_t number) noexcept {
  return number < kCommands.size() ? &kCommands[number] : nullptr;
}

bool known_fields_only(Command command, const Attr& attr) noexcept {
  const Bytes rest = bytes_of(attr).subspan(info(command).attr_bytes);
  return std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace skep::spec
