#include "maps/device_map.h"

#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::size_t kSlotBytes = 16;
constexpr std::uint32_t kMostQueued = 16384;

struct Target {
  std::uint32_t number = 0;
  std::uint32_t program = 0;
};

Target target_from(const std::byte* value, std::size_t size) noexcept {
  return {load<std::uint32_t>(value), size >= 8 ? load<std::uint32_t>(value + 4) : 0};
}

Target target_in(std::byte* slot) noexcept {
  return std::bit_cast<Target>(word_at<std::uint64_t>(slot).load(std::memory_order_acquire));
}

Reference reference_in(std::byte* slot) noexcept {
  return {target_in(slot).program, word_at<std::uint32_t>(slot + 8).load(std::memory_order_acquire)};
}

void write_target(std::byte* slot, Target target) noexcept {
  word_at<std::uint64_t>(slot + 8).store(0, std::memory_order_release);
  word_at<std::uint64_t>(slot).store(std::bit_cast<std::uint64_t>(target), std::memory_order_release);
}

int write_reference(std::byte* slot, Reference to, Reference* old) noexcept {
  if (slot == nullptr) return -ENOENT;
  if (old != nullptr) *old = reference_in(slot);
  word_at<std::uint32_t>(slot + 4).store(to.id, std::memory_order_release);
  word_at<std::uint32_t>(slot + 8).store(to.generation, std::memory_order_release);
  return 0;
}

HashTable::Shape shape_of(const spec::MapSpec& spec, unsigned cpus) {
  return {.key_size = spec.key_size,
          .value_bytes = kSlotBytes,
          .entries = spec.max_entries,
          .cpus = cpus,
          .lru = HashTable::Shape::No};
}

class TargetWriter final : public HashTable::Writer {
 public:
  explicit TargetWriter(Target target) noexcept : target_(target) {}
  void fill(std::byte* value) noexcept override { write_target(value, target_); }
  void overwrite(std::byte* value) noexcept override { fill(value); }

 private:
  Target target_;
};

}  // namespace

Result<Plan> DeviceArray::plan(const spec::MapSpec& spec, unsigned) {
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  planner.place(spec.max_entries, kSlotBytes, kPageSize);
  const std::size_t bytes = round_up(planner.bytes(), kPageSize);
  return Plan{.header_at = 0, .bytes = bytes, .resident = bytes};
}

DeviceArray::DeviceArray(Parts&& parts)
    : IndexedMap(std::move(parts)), cpus_are_targets_(find_kind(spec_.type)->family == Family::Cpu) {}

std::byte* DeviceArray::slot(std::uint32_t index) const noexcept {
  return region_.data() + kPageSize + index * kSlotBytes;
}

std::byte* DeviceArray::lookup(const std::byte* key, unsigned) noexcept {
  const std::uint32_t at = index(key);
  return has(at) && target_in(slot(at)).number != 0 ? slot(at) : nullptr;
}

int DeviceArray::erase(const std::byte* key) noexcept {
  if (!has(index(key))) return -EINVAL;
  write_target(slot(index(key)), {});
  return 0;
}

int DeviceArray::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  std::byte* found = lookup(key, 0);
  if (found == nullptr) return -ENOENT;
  copy_out(value, found, spec_.value_size);
  return 0;
}

int DeviceArray::check_target(std::uint32_t index, std::uint32_t number, std::uint32_t program) const noexcept {
  if (!cpus_are_targets_) return number == 0 && program != 0 ? -EINVAL : 0;
  if (number > kMostQueued) return -EOVERFLOW;
  return index >= domain_.cpus() ? -ENODEV : 0;
}

int DeviceArray::update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  const std::uint32_t at = index(key);
  if (flags > spec::kExist) return -EINVAL;
  if (!has(at)) return -E2BIG;
  if (flags == spec::kNoExist) return -EEXIST;
  const Target target = target_from(value, spec_.value_size);
  if (const int error = check_target(at, target.number, target.program); error != 0) return error;
  write_target(slot(at), target.number == 0 ? Target{} : target);
  return 0;
}

Reference DeviceArray::reference(const std::byte* key) noexcept {
  std::byte* found = lookup(key, 0);
  return found == nullptr ? Reference{} : reference_in(found);
}

int DeviceArray::set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept {
  return flags != 0 ? -EINVAL : write_reference(lookup(key, 0), to, old);
}

std::optional<MutableBytes> DeviceArray::value_at(const std::byte* address) noexcept {
  const auto offset = static_cast<std::size_t>(address - slot(0));
  if (offset >= spec_.max_entries * kSlotBytes || offset % kSlotBytes >= spec_.value_size) return std::nullopt;
  return MutableBytes(slot(static_cast<std::uint32_t>(offset / kSlotBytes)), spec_.value_size);
}

Result<Plan> DeviceHash::plan(const spec::MapSpec& spec, unsigned cpus) {
  const HashTable::Layout layout = HashTable::layout(shape_of(spec, cpus));
  if (layout.bytes == 0) return fail(ENOMEM, "device hash: larger than an address space");
  return Plan{.header_at = 0, .bytes = layout.bytes, .resident = kPageSize};  // entries come when used
}

DeviceHash::DeviceHash(Parts&& parts) : Map(std::move(parts)), table_(region_, shape_of(spec_, domain_.cpus())) {}

std::byte* DeviceHash::lookup(const std::byte* key, unsigned) noexcept { return table_.find(key); }
int DeviceHash::erase(const std::byte* key) noexcept { return table_.remove(key, nullptr, 0); }
int DeviceHash::next_key(const std::byte* key, std::byte* next) noexcept { return table_.next_key(key, next); }

int DeviceHash::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  return flags != 0 ? -EINVAL : table_.read(key, value, spec_.value_size);
}

int DeviceHash::update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  const Target target = target_from(value, spec_.value_size);
  if (flags > spec::kExist || target.number == 0) return -EINVAL;
  TargetWriter writer(target);
  // BPF_EXIST of an absent key adds it, as the kernel's device hash does.
  return table_.put(key, flags == spec::kExist ? spec::kAny : flags, HashTable::Replace::InPlace, writer);
}

Reference DeviceHash::reference(const std::byte* key) noexcept {
  std::byte* found = table_.find(key);
  return found == nullptr ? Reference{} : reference_in(found);
}

int DeviceHash::set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept {
  return flags != 0 ? -EINVAL : write_reference(table_.find(key), to, old);
}

std::optional<MutableBytes> DeviceHash::value_at(const std::byte* address) noexcept {
  std::byte* value = table_.value_around(address);
  if (value == nullptr || address >= value + spec_.value_size) return std::nullopt;
  return MutableBytes(value, spec_.value_size);
}

}  // namespace skep::maps
