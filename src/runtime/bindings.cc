#include "runtime/bindings.h"

#include <algorithm>

#include "helpers/bodies.h"

namespace skep::runtime {

maps::Map* MapBindings::map(spec::MapId id) const {
  const auto found = std::ranges::find(maps_, id, &maps::Map::id);
  return found == maps_.end() ? nullptr : *found;
}

exec::HelperBody MapBindings::helper(std::uint32_t id) const noexcept { return helpers::body(id); }

exec::HelperBody MapBindings::kfunc(std::uint32_t row) const noexcept { return helpers::kfunc_body(row); }

}  // namespace skep::runtime
