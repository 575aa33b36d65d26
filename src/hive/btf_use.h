// What the hive asks of BTF objects: whether a map's types fit it, and where functions and source lines are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/image.h"
#include "hive/state.h"
#include "spec/attr.h"
#include "spec/info.h"
#include "spec/map_spec.h"

namespace skep::hive {

// Whether key and value types have the map's sizes and are of the kinds that the map type takes. EINVAL, or ENOTSUPP
// for map types that take no BTF.
Result<> check_map_types(const BtfObject& btf, const spec::MapSpec& spec, std::uint32_t key_type,
                         std::uint32_t value_type);

// Whether values hold a bpf_spin_lock that BPF_F_LOCK may take. Nothing takes it yet, so no map has one.
bool has_spin_lock(const MapObject& map) noexcept;
// Whether values hold anything that is more than data: locks, timers, kptrs.
bool has_special_fields(const MapObject& map);

}  // namespace skep::hive
