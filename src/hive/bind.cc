#include "hive/bind.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "interp/interp.h"
#include "jit/jit.h"
#include "runtime/bindings.h"
#include "spec/helpers.h"

namespace skep::hive {
namespace {

using spec::ProgType;

// Whether elements of such a map, or what they lead to, depend on the CPU. A tail call may lead to any program.
bool depends_on_cpu(spec::MapType type) noexcept {
  switch (type) {
    case spec::MapType::Array:
    case spec::MapType::Hash:
    case spec::MapType::LpmTrie:
    case spec::MapType::Devmap:
    case spec::MapType::DevmapHash:
    case spec::MapType::Cpumap: return false;
    default: return true;
  }
}

// What the door assumes of every map, asked of those that the program has. A map of maps only ever holds maps of its
// template's type.
bool needs_cpu(const exec::Image& image, std::span<MapObject* const> maps) noexcept {
  constexpr auto kAsks = std::to_underlying(spec::HelperId::get_smp_processor_id);
  const auto asks = [](const exec::Relocation& place) {
    return place.kind == exec::Relocation::Kind::Helper && place.id == kAsks;
  };
  const auto depends = [](const MapObject* map) {
    return depends_on_cpu(map->inner ? map->inner->type : map->map->spec().type);
  };
  return std::ranges::any_of(image.relocations, asks) || std::ranges::any_of(maps, depends);
}

// Whether compiled code is enough: loads that may find no memory are the interpreter's. Where nothing fires, programs
// are compiled for those who look at them.
bool can_be_compiled(const exec::Image& image) noexcept {
  return image.probed.empty() ||
         (image.type == ProgType::Tracing && spec::AttachType{image.attach_type} != spec::AttachType::TraceIter) ||
         image.type == ProgType::Lsm || image.type == ProgType::StructOps;
}

// The engine that runs it, or the one that takes its place.
Result<std::unique_ptr<exec::Executable>> choose(const Binding& with, const std::shared_ptr<const exec::Image>& image,
                                                 const exec::Bindings& bindings, std::string& note) {
  if (with.engine == Engine::Jit && !can_be_compiled(*image)) {
    note = "interpreted, not compiled: it reads objects of the kernel's";
  } else if (with.engine == Engine::Jit) {
    auto compiled = jit::bind(image, bindings, with.compiling);
    if (compiled) return compiled;
    note = "interpreted, not compiled: " + compiled.error().message;
  }
  return interp::bind(image, bindings,
                      with.engine == Engine::Checked ? interp::Policy::Checked : interp::Policy::Plain);
}

}  // namespace

Result<Bound> bind_image(State& hive, exec::Image image, std::span<MapObject* const> maps, const Binding& with) {
  image.uses_cpu = image.uses_cpu && needs_cpu(image, maps);
  image.masks_indices = with.masks_indices;
  const auto shared = std::make_shared<const exec::Image>(std::move(image));
  std::vector<maps::Map*> used;
  for (const MapObject* map : maps) used.push_back(map->map.get());
  const exec::ClockReader reader = hive.options.host == nullptr ? runtime::SystemHost::clock_reader() : nullptr;
  const runtime::MapBindings bindings(used, {hive.prog_cache.table(), hive.map_cache.table()}, reader);
  Bound bound;
  TRY(bound.code, choose(with, shared, bindings, bound.note));
  return bound;
}

}  // namespace skep::hive
