// What the hive asks of BTF objects: whether a map's types fit it, and where functions and source lines are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "btf/record.h"
#include "exec/image.h"
#include "hive/elements.h"
#include "hive/state.h"
#include "spec/attr.h"
#include "spec/info.h"
#include "spec/map_spec.h"

namespace skep::hive {

// Whether key and value types have the map's sizes and are of the kinds that the map type takes; the result is what in
// a value is more than data. Fields that make no sense (btf/record.h) are plain data, as in the kernel. EINVAL;
// ENOTSUPP: the map type takes no BTF; EOPNOTSUPP: it takes no such fields; EACCES: programs may not read, or not
// write, such a map.
Result<std::vector<btf::SpecialField>> check_map_types(const BtfObject& btf, const spec::MapSpec& spec,
                                                       std::uint32_t key_type, std::uint32_t value_type);

inline bool has_spin_lock(const MapObject& map) noexcept { return spin_lock_in(map.fields).has_value(); }

}  // namespace skep::hive
