// Which helpers take which types of maps: helper_maps.def, asked. Cost: a few bit tests. Tested by:
// spec/helper_maps_test.cc, every pair against the running kernel.
#pragma once

#include "spec/helpers.h"
#include "spec/types.h"

namespace skep::spec {

// Whether a map of this type may be passed to the helper.
bool helper_takes_map(HelperId helper, MapType type) noexcept;
// Whether programs of this type and attach type may change a sockmap or sockhash with this helper. Helpers other than
// map_update_elem and map_delete_elem: no.
bool may_change_sockmap(ProgType type, AttachType attach, HelperId helper) noexcept;
constexpr bool is_sockmap(MapType type) noexcept { return type == MapType::Sockmap || type == MapType::Sockhash; }
// for_each_map_elem goes over maps of this type.
bool is_walkable(MapType type) noexcept;

}  // namespace skep::spec
