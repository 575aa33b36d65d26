#include "maps/array_map.h"

#include "base/errno.h"
#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::size_t kCacheLine = 64;

std::size_t stride_of(const spec::MapSpec& spec) { return round_up(spec.value_size, 8); }

Result<Plan> finished(const Planner& planner, std::size_t header_at) {
  if (planner.invalid()) return fail(ENOMEM, "array map: larger than an address space");
  const std::size_t bytes = round_up(planner.bytes(), kPageSize);
  return Plan{.header_at = header_at, .bytes = bytes, .resident = bytes};
}

// The bounds of the value that `address` lies in, in an array of `size`-byte values from `base` on.
std::optional<MutableBytes> value_in(std::byte* base, std::size_t bytes, std::size_t stride, std::size_t size,
                                     const std::byte* address) noexcept {
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base);
  if (offset >= bytes || offset % stride >= size) return std::nullopt;
  return MutableBytes(base + offset / stride * stride, size);
}

}  // namespace

Recipe ArrayMap::recipe() const noexcept {
  return {.map = this,
          .base = reinterpret_cast<std::uint64_t>(value(0)),
          .entries = spec_.max_entries,
          .stride = stride_,
          .per_cpu = 0};
}

Recipe PercpuArrayMap::recipe() const noexcept {
  return {.map = this,
          .base = reinterpret_cast<std::uint64_t>(value(0, 0)),
          .entries = spec_.max_entries,
          .stride = stride_,
          .per_cpu = cpu_bytes_};
}

int IndexedMap::next_key(const std::byte* key, std::byte* next) noexcept {
  const std::uint32_t at = key == nullptr ? UINT32_MAX : index(key);
  if (has(at) && at + 1 == spec_.max_entries) return -ENOENT;
  store(next, has(at) ? at + 1 : 0);
  return 0;
}

int IndexedMap::check_update(std::uint32_t index, std::uint64_t flags) const noexcept {
  if ((flags & ~std::uint64_t{spec::kLock}) > spec::kExist) return -EINVAL;
  if (!has(index)) return -E2BIG;
  if ((flags & spec::kNoExist) != 0) return -EEXIST;
  return (flags & spec::kLock) != 0 && !value_lock_ ? -EINVAL : 0;
}

Result<Plan> ArrayMap::plan(const spec::MapSpec& spec, unsigned) {
  Planner planner;
  planner.place(spec.max_entries, stride_of(spec), kPageSize);
  const std::size_t header_at = planner.place(1, kPageSize, kPageSize);
  return finished(planner, header_at);
}

ArrayMap::ArrayMap(Parts&& parts) : IndexedMap(std::move(parts)), stride_(stride_of(spec_)) {
  elements_ = {value(0), stride_, spec_.max_entries};
}

std::byte* ArrayMap::lookup(const std::byte* key, unsigned) noexcept {
  const std::uint32_t at = index(key);
  return has(at) ? value(at) : nullptr;
}

int ArrayMap::update(const std::byte* key, const std::byte* from, std::uint64_t flags, unsigned) noexcept {
  const std::uint32_t at = index(key);
  if (const int error = check_update(at, flags); error != 0) return error;
  if ((flags & spec::kLock) != 0) return value_lock_.write_locked(value(at), from, spec_.value_size);
  value_lock_.write(value(at), from, spec_.value_size);
  return 0;
}

int ArrayMap::copy_value(const std::byte* key, std::byte* to, std::uint64_t flags) noexcept {
  const bool locked = flags == spec::kLock && value_lock_;
  if (flags != 0 && !locked) return -EINVAL;
  std::byte* from = lookup(key, 0);
  if (from == nullptr) return -ENOENT;
  if (locked) return value_lock_.read_locked(to, from, spec_.value_size);
  value_lock_.read(to, from, spec_.value_size);
  return 0;
}

std::optional<MutableBytes> ArrayMap::value_at(const std::byte* address) noexcept {
  return value_in(region_.data(), spec_.max_entries * stride_, stride_, spec_.value_size, address);
}

std::byte* ArrayMap::direct_value() noexcept { return spec_.max_entries == 1 ? region_.data() : nullptr; }

std::size_t ArrayMap::mmap_bytes() const noexcept {
  return (spec_.flags & spec::kMmapable) != 0 ? round_up(spec_.max_entries * stride_, kPageSize) : 0;
}

std::int64_t ArrayMap::for_each(Visit visit, void* context, unsigned) noexcept {
  for (std::uint32_t at = 0; at < spec_.max_entries; ++at) {
    std::uint32_t key = at;
    if (visit(context, reinterpret_cast<std::byte*>(&key), value(at)) != 0) return std::int64_t{at} + 1;
  }
  return spec_.max_entries;
}

Result<Plan> PercpuArrayMap::plan(const spec::MapSpec& spec, unsigned cpus) {
  Planner planner;
  const std::size_t header_at = planner.place(1, kPageSize, kPageSize);
  planner.place(cpus, round_up(spec.max_entries * stride_of(spec), kCacheLine), kCacheLine);
  return finished(planner, header_at);
}

PercpuArrayMap::PercpuArrayMap(Parts&& parts)
    : IndexedMap(std::move(parts)),
      cpus_(domain_.cpus()),
      stride_(stride_of(spec_)),
      cpu_bytes_(round_up(spec_.max_entries * stride_, kCacheLine)) {}

std::byte* PercpuArrayMap::lookup(const std::byte* key, unsigned cpu) noexcept { return lookup_percpu(key, cpu); }

std::byte* PercpuArrayMap::lookup_percpu(const std::byte* key, unsigned cpu) noexcept {
  const std::uint32_t at = index(key);
  return has(at) && cpu < cpus_ ? value(at, cpu) : nullptr;
}

int PercpuArrayMap::update(const std::byte* key, const std::byte* from, std::uint64_t flags, unsigned cpu) noexcept {
  const std::uint32_t at = index(key);
  if (flags > spec::kExist) return -EINVAL;
  if (const int error = check_update(at, flags); error != 0) return error;
  if (cpu >= cpus_) return -EINVAL;
  copy_in(value(at, cpu), from, spec_.value_size);
  return 0;
}

std::size_t PercpuArrayMap::syscall_value_size() const noexcept { return stride_ * cpus_; }

int PercpuArrayMap::copy_value(const std::byte* key, std::byte* to, std::uint64_t flags) noexcept {
  const std::uint32_t at = index(key);
  if (flags != 0) return -EINVAL;
  if (!has(at)) return -ENOENT;
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) copy_out(to + cpu * stride_, value(at, cpu), stride_);
  return 0;
}

int PercpuArrayMap::update_all(const std::byte* key, const std::byte* from, std::uint64_t flags) noexcept {
  const std::uint32_t at = index(key);
  if (flags > spec::kExist) return -EINVAL;
  if (const int error = check_update(at, flags); error != 0) return error;
  for (unsigned cpu = 0; cpu < cpus_; ++cpu) copy_in(value(at, cpu), from + cpu * stride_, stride_);
  return 0;
}

std::optional<MutableBytes> PercpuArrayMap::value_at(const std::byte* address) noexcept {
  for (unsigned cpu = 0; cpu < cpus_; ++cpu)
    if (auto found = value_in(value(0, cpu), spec_.max_entries * stride_, stride_, spec_.value_size, address))
      return found;
  return std::nullopt;
}

std::int64_t PercpuArrayMap::for_each(Visit visit, void* context, unsigned cpu) noexcept {
  if (cpu >= cpus_) return -EINVAL;
  for (std::uint32_t at = 0; at < spec_.max_entries; ++at) {
    std::uint32_t key = at;
    if (visit(context, reinterpret_cast<std::byte*>(&key), value(at, cpu)) != 0) return std::int64_t{at} + 1;
  }
  return spec_.max_entries;
}

Result<Plan> ReferenceArray::plan(const spec::MapSpec& spec, unsigned) {
  Planner planner;
  const std::size_t header_at = planner.place(1, kPageSize, kPageSize);
  planner.place(spec.max_entries, sizeof(Reference), kCacheLine);
  return finished(planner, header_at);
}

ReferenceArray::ReferenceArray(Parts&& parts)
    : IndexedMap(std::move(parts)), readable_(!find_kind(spec_.type)->has(kNoLookup)) {}

Recipe ReferenceArray::recipe() const noexcept {
  return {.map = this,
          .base = reinterpret_cast<std::uint64_t>(slot(0)),
          .entries = spec_.max_entries,
          .stride = sizeof(Reference),
          .per_cpu = 0,
          .references = true};
}

int ReferenceArray::erase(const std::byte* key) noexcept { return set_reference(key, {}, 0, nullptr); }

int ReferenceArray::copy_value(const std::byte* key, std::byte* to, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  if (!readable_) return -kNotSupported;
  const Reference found = reference(key);
  if (found == Reference{}) return -ENOENT;
  store(to, found.id);
  return 0;
}

int ReferenceArray::update_all(const std::byte*, const std::byte*, std::uint64_t) noexcept { return -EINVAL; }

Reference ReferenceArray::reference(const std::byte* key) noexcept {
  const std::uint32_t at = index(key);
  if (!has(at)) return {};
  return std::bit_cast<Reference>(word_at<std::uint64_t>(slot(at)).load(std::memory_order_acquire));
}

int ReferenceArray::set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept {
  const std::uint32_t at = index(key);
  if (flags != spec::kAny) return -EINVAL;
  if (!has(at)) return -E2BIG;
  const auto was =
      std::bit_cast<Reference>(word_at<std::uint64_t>(slot(at)).exchange(std::bit_cast<std::uint64_t>(to)));
  if (old != nullptr) *old = was;
  return to == Reference{} && was == Reference{} ? -ENOENT : 0;
}

}  // namespace skep::maps
