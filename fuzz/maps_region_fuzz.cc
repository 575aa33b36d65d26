// links: skep_maps
// A map of any kind and shape whose region is scribbled on between operations: it may answer anything, it must not
// reach outside, hang or crash. Input: kind, sizes, flags, then the numbers that drive maps/attack.h; zeros when they
// run out.
#include <cstddef>
#include <cstdint>

#include "maps/attack.h"
#include "maps/kinds.h"

namespace {

using namespace skep;

class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  std::uint32_t take(std::size_t size) {
    std::uint32_t value = 0;
    for (; size > 0 && !rest_.empty(); --size, rest_ = rest_.subspan(1))
      value = value << 8 | std::to_integer<std::uint32_t>(rest_.front());
    return value;
  }

 private:
  Bytes rest_;
};

spec::MapSpec spec_from(Input& input) {
  spec::MapSpec spec;
  spec.type = static_cast<spec::MapType>(input.take(1) % 34);
  const maps::Kind* kind = maps::find_kind(spec.type);
  const bool ring = kind != nullptr && kind->family == maps::Family::Ring;
  spec.key_size = input.take(1);
  spec.value_size = input.take(1);
  spec.max_entries = ring ? 4096U << input.take(1) % 3 : input.take(1);
  spec.flags = input.take(2);
  return spec;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto domain = *maps::Domain::create();
  Input input(std::as_bytes(std::span(data, size)));
  const spec::MapSpec inner{.type = spec::MapType::Array, .key_size = 4, .value_size = 4, .max_entries = 1};
  const auto map = maps::Map::create(*domain, spec_from(input), spec::MapId{1}, &inner);
  if (!map) return 0;
  maps::Attack attack(**map, [&input] { return input.take(2); });
  attack.fill();
  for (int i = 0; i < 200 && !input.empty(); ++i) {
    if (i % 20 == 0) attack.scribble();
    attack.operate();
  }
  (void)maps::Map::open(*domain, Fd(::dup((*map)->memfd())), (*map)->spec());
  return 0;
}
