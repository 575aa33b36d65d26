#include "exec/relocate.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "isa/op.h"
#include "maps/arena_map.h"

namespace skep::exec {
namespace {

Result<std::uint64_t> value_address(maps::Map& map, const Relocation& relocation) {
  if (const maps::ArenaMap* arena = map.arena()) return arena->place().users + relocation.offset;
  const std::byte* base = map.direct_value();
  if (!base) return fail(EINVAL, fmt::format("map {} has no values with a fixed address", relocation.id));
  if (relocation.offset >= map.spec().value_size)
    return fail(EINVAL, fmt::format("offset {} is outside the {} bytes of map {}", relocation.offset,
                                    map.spec().value_size, relocation.id));
  return reinterpret_cast<std::uint64_t>(base) + relocation.offset;
}

Result<std::uint64_t> value_of(const Relocation& relocation, const Bindings& bindings, Values& values) {
  using Kind = Relocation::Kind;
  if (relocation.kind == Kind::Helper) return std::bit_cast<std::uint64_t>(bindings.helper(relocation.id));
  if (relocation.kind == Kind::Kfunc) return std::bit_cast<std::uint64_t>(bindings.kfunc(relocation.id));
  maps::Map* map = bindings.map(spec::MapId{relocation.id});
  if (!map)
    return fail(ENOENT, fmt::format("map {}, which instruction {} uses, is not there", relocation.id, relocation.insn));
  if (std::ranges::find(values.maps, map) == values.maps.end()) {
    values.maps.push_back(map);
    if (const auto recipe = maps::recipe(*map)) values.recipes.push_back(*recipe);
  }
  if (relocation.kind == Kind::MapValue) return value_address(*map, relocation);
  return reinterpret_cast<std::uint64_t>(map);
}

Result<spec::ArenaPlace> arena_of(const Image& image, const Bindings& bindings) {
  if (image.arena == spec::MapId::None) return spec::ArenaPlace{};
  maps::Map* map = bindings.map(image.arena);
  const maps::ArenaMap* arena = map == nullptr ? nullptr : map->arena();
  if (arena == nullptr || arena->place().users == 0)
    return fail(EINVAL, fmt::format("map {} is no arena that users have mapped", std::to_underlying(image.arena)));
  return arena->place();
}

}  // namespace

Result<Values> relocate(const Image& image, const Bindings& bindings) {
  const auto& insns = image.insns;
  Values values;
  values.by_insn.resize(insns.size());
  values.known = bindings.known();
  values.clock = bindings.clock();
  TRY(values.arena, arena_of(image, bindings));
  for (std::size_t i = 0; i < insns.size(); ++i) {
    if (!isa::is_ld_imm64(isa::decode(insns[i]))) continue;
    if (isa::decode(insns[i]) == isa::Op::LdImm64) values.by_insn[i] = isa::imm64(insns[i], insns[i + 1]);
    ++i;
  }
  for (const Relocation& relocation : image.relocations) {
    TRY(values.by_insn[relocation.insn], value_of(relocation, bindings, values));
  }
  return values;
}

}  // namespace skep::exec
