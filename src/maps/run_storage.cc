#include "maps/run_storage.h"

#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::size_t kCacheLine = 64;

unsigned values_of(const spec::MapSpec& spec, unsigned cpus) noexcept {
  return find_kind(spec.type)->has(kPerCpu) ? cpus : 1;
}

}  // namespace

Result<Plan> RunStorage::plan(const spec::MapSpec& spec, unsigned cpus) {
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  planner.place(values_of(spec, cpus), round_up(spec.value_size, kCacheLine), kPageSize);
  return Plan{.header_at = 0, .bytes = round_up(planner.bytes(), kPageSize), .resident = 0};
}

RunStorage::RunStorage(Parts&& parts)
    : EmptyMap(std::move(parts)),
      stride_(round_up(spec_.value_size, kCacheLine)),
      values_(values_of(spec_, domain_.cpus())) {}

std::byte* RunStorage::lookup(const std::byte*, unsigned cpu) noexcept {
  return region_.data() + kPageSize + (values_ == 1 ? 0 : cpu % values_) * stride_;
}

std::optional<MutableBytes> RunStorage::value_at(const std::byte* address) noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(lookup(nullptr, 0));
  if (offset >= values_ * stride_ || offset % stride_ >= spec_.value_size) return std::nullopt;
  return MutableBytes(lookup(nullptr, 0) + offset / stride_ * stride_, spec_.value_size);
}

void RunStorage::restart() noexcept { clear(lookup(nullptr, 0), values_ * stride_); }

}  // namespace skep::maps
