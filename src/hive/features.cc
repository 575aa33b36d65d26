#include "hive/features.h"

#include "helpers/bodies.h"
#include "jit/code_memory.h"
#include "maps/kinds.h"

namespace skep::hive {

bool runs(spec::HelperId helper) noexcept {
  return helper == spec::HelperId::tail_call || helpers::body(static_cast<std::uint32_t>(helper)) != nullptr;
}

bool holds(spec::MapType type) noexcept {
  const maps::Kind* kind = maps::find_kind(type);
  return kind != nullptr && !kind->has(maps::kShell);
}

std::size_t most_code() noexcept { return jit::CodeMemory::kArenaBytes; }

}  // namespace skep::hive
