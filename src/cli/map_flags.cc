#include "cli/map_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "spec/map_spec.h"

namespace skep::cli {
namespace {

struct Flag {
  std::string_view name;
  std::uint32_t bit;
};
constexpr Flag kFlags[] = {
#define MAP_FLAG(name, constant) Flag{#name, spec::constant},
#include "cli/map_flags.def"
#undef MAP_FLAG
};

}  // namespace

std::optional<std::uint32_t> map_flag(std::string_view name) {
  for (const Flag& flag : kFlags)
    if (flag.name == name) return flag.bit;
  return std::nullopt;
}

std::vector<std::string_view> map_flag_names() {
  std::vector<std::string_view> names;
  for (const Flag& flag : kFlags) names.push_back(flag.name);
  return names;
}

std::string map_flags_text(std::uint32_t flags) {
  std::vector<std::string> parts;
  for (const Flag& flag : kFlags) {
    if ((flags & flag.bit) != 0) parts.emplace_back(flag.name);
    flags &= ~flag.bit;
  }
  if (flags != 0) parts.push_back(fmt::format("0x{:x}", flags));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace skep::cli
