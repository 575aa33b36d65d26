#include "hive/features.h"

#include "helpers/bodies.h"
#include "maps/kinds.h"

namespace skep::hive {

bool runs(spec::HelperId helper) noexcept {
  return helper == spec::HelperId::tail_call || helpers::body(static_cast<std::uint32_t>(helper)) != nullptr;
}

bool holds(spec::MapType type) noexcept {
  const maps::Kind* kind = maps::find_kind(type);
  return kind != nullptr && !kind->has(maps::kShell);
}

}  // namespace skep::hive
