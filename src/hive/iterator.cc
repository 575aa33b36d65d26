#include "hive/iterator.h"

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"
#include "maps/kinds.h"

namespace skep::hive {
namespace {

constexpr std::string_view kPrefix = "bpf_iter_";

constexpr Iterator kIterators[] = {
#define ITERATOR(name, objects) {#name, Iterated::objects},
#include "hive/iterators.def"
};

// Whether a map's elements are iterated, and whether each has a value per CPU.
enum class Values : std::uint8_t { None, One, PerCpu };
Values values_of(spec::MapType type) noexcept {
  switch (type) {
    case spec::MapType::Hash:
    case spec::MapType::LruHash:
    case spec::MapType::Array: return Values::One;
    case spec::MapType::PercpuHash:
    case spec::MapType::LruPercpuHash:
    case spec::MapType::PercpuArray: return Values::PerCpu;
    default: return Values::None;
  }
}

}  // namespace

const Iterator* iterator_of(State& hive, const ProgObject& program) noexcept {
  const btf::Btf* types = hive.kernel_btf();
  if (types == nullptr || !types->has(program.attach_btf_id)) return nullptr;
  std::string_view name = types->type(program.attach_btf_id).name();
  if (!name.starts_with(kPrefix)) return nullptr;
  name.remove_prefix(kPrefix.size());
  const auto* found = std::ranges::find(kIterators, name, &Iterator::name);
  return found == std::end(kIterators) ? nullptr : found;
}

int check_elements(const ProgObject& program, const MapObject& map) noexcept {
  const spec::MapSpec& spec = map.map->spec();
  const Values values = values_of(spec.type);
  if (values == Values::None) return -EINVAL;
  const std::size_t value_bytes = values == Values::PerCpu ? map.map->syscall_value_size() : spec.value_size;
  return program.read_buffer_end > spec.key_size || program.write_buffer_end > value_bytes ? -EACCES : 0;
}

}  // namespace skep::hive
