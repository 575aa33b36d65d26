#include "maps/hash_map.h"

#include <algorithm>

#include "base/cpus.h"
#include "maps/domain.h"
#include "maps/kinds.h"

namespace skep::maps {
namespace {

// Elements that belong to somebody are as many as there are owners. The kernel knows no limit but memory; here it is
// the room in the region, of which only what is used takes memory.
constexpr std::uint64_t kOwnersRoom = 1U << 28, kFewestOwners = 1U << 12, kMostOwners = 1U << 16;

HashTable::Shape shape_of(const spec::MapSpec& spec, unsigned cpus, Slots slots, Full full) {
  const std::size_t stride = round_up(spec.value_size, 8);
  const bool is_owned = find_kind(spec.type)->has(kOwned);
  const std::uint64_t owners = std::clamp(kOwnersRoom / (stride + 1), kFewestOwners, kMostOwners);
  return {.key_size = is_owned ? std::uint32_t{sizeof(Owner)} : spec.key_size,
          .value_bytes = slots == Slots::PerCpu ? stride * cpus : spec.value_size,
          .entries = is_owned ? static_cast<std::uint32_t>(owners) : spec.max_entries,
          .cpus = cpus,
          .lru = full == Full::Refuse                     ? HashTable::Shape::No
                 : (spec.flags & spec::kNoCommonLru) != 0 ? HashTable::Shape::PerCpu
                                                          : HashTable::Shape::Common,
          .sparse = (spec.flags & spec::kNoPrealloc) != 0};
}

// A whole value. It is only written over another with BPF_F_LOCK.
class Whole final : public HashTable::Writer {
 public:
  Whole(const std::byte* from, std::size_t size, const ValueLock& lock) noexcept
      : from_(from), size_(size), lock_(lock) {}
  void fill(std::byte* value) noexcept override { lock_.write_new(value, from_, size_); }
  void overwrite(std::byte* value) noexcept override { error_ = lock_.write_locked(value, from_, size_); }
  int error() const noexcept { return error_; }

 private:
  const std::byte* from_;
  std::size_t size_;
  const ValueLock& lock_;
  int error_ = 0;
};

// One CPU's value.
class OneCpu final : public HashTable::Writer {
 public:
  OneCpu(const std::byte* from, std::size_t size, unsigned cpu, unsigned cpus) noexcept
      : from_(from), size_(size), stride_(round_up(size, 8)), cpu_(cpu), cpus_(cpus) {}
  void fill(std::byte* value) noexcept override {
    clear(value, stride_ * cpus_);
    overwrite(value);
  }
  void overwrite(std::byte* value) noexcept override { copy_in(value + cpu_ * stride_, from_, size_); }

 private:
  const std::byte* from_;
  std::size_t size_;
  std::size_t stride_;
  unsigned cpu_;
  unsigned cpus_;
};

// Every CPU's value, as system calls bring them: rounded up to 8 bytes, padding included.
class AllCpus final : public HashTable::Writer {
 public:
  AllCpus(const std::byte* from, std::size_t size, unsigned cpus) noexcept
      : from_(from), stride_(round_up(size, 8)), cpus_(cpus) {}
  void fill(std::byte* value) noexcept override {
    for (unsigned cpu = 0; cpu < cpus_; ++cpu) copy_in(value + cpu * stride_, from_ + cpu * stride_, stride_);
  }
  void overwrite(std::byte* value) noexcept override { fill(value); }

 private:
  const std::byte* from_;
  std::size_t stride_;
  unsigned cpus_;
};

}  // namespace

template <Slots kSlots, Full kFull>
Result<Plan> HashMapOf<kSlots, kFull>::plan(const spec::MapSpec& spec, unsigned cpus) {
  const HashTable::Layout layout = HashTable::layout(shape_of(spec, cpus, kSlots, kFull));
  if (layout.bytes == 0) return fail(ENOMEM, "hash map: larger than an address space");
  const bool sparse = (spec.flags & spec::kNoPrealloc) != 0;
  return Plan{.header_at = 0, .bytes = layout.bytes, .resident = sparse ? kPageSize : layout.bytes};
}

template <Slots kSlots, Full kFull>
HashMapOf<kSlots, kFull>::HashMapOf(Parts&& parts)
    : Map(std::move(parts)),
      cpus_(domain_.cpus()),
      stride_(round_up(spec_.value_size, 8)),
      table_(region_, shape_of(spec_, cpus_, kSlots, kFull)) {}

template <Slots kSlots, Full kFull>
std::byte* HashMapOf<kSlots, kFull>::lookup(const std::byte* key, unsigned cpu) noexcept {
  if (kSlots == Slots::PerCpu && cpu >= cpus_) return nullptr;
  std::byte* value = table_.find(key);
  if (value == nullptr) return nullptr;
  if (kFull == Full::Evict) table_.touch(value);
  return kSlots == Slots::PerCpu ? value + cpu * stride_ : value;
}

template <Slots kSlots, Full kFull>
Recipe HashMapOf<kSlots, kFull>::recipe() const noexcept {
  Recipe recipe;
  recipe.map = this;
  recipe.per_cpu = kSlots == Slots::PerCpu ? stride_ : 0;
  recipe.find = table_.finder();
  if (kSlots == Slots::One && !value_lock_) recipe.update = table_.updater();
  recipe.erase = table_.eraser();
  recipe.table = &table_;
  recipe.chunks = table_.chunks();
  return recipe;
}

template <Slots kSlots, Full kFull>
std::byte* HashMapOf<kSlots, kFull>::lookup_percpu(const std::byte* key, unsigned cpu) noexcept {
  return kSlots == Slots::PerCpu ? lookup(key, cpu) : nullptr;
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::update(const std::byte* key, const std::byte* value, std::uint64_t flags,
                                     unsigned cpu) noexcept {
  if ((kSlots == Slots::PerCpu || kFull == Full::Evict) && cpu >= cpus_) return -EINVAL;
  if constexpr (kSlots == Slots::PerCpu) {
    OneCpu writer(value, spec_.value_size, cpu, cpus_);
    return table_.put(key, flags, HashTable::Replace::InPlace, writer, cpu);
  }
  if (const Recipe::Update simple = value_lock_ ? nullptr : table_.updater(); simple != nullptr)
    return static_cast<int>(simple(&table_, 0, key, value, flags));
  const bool locked = may_lock(flags);
  Whole writer(value, spec_.value_size, value_lock_);
  const auto replace = locked ? HashTable::Replace::InPlace : HashTable::Replace::NewElement;
  const int error = table_.put(key, locked ? flags & ~std::uint64_t{spec::kLock} : flags, replace, writer, cpu);
  return error != 0 ? error : writer.error();
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::erase(const std::byte* key) noexcept {
  const Recipe::Erase simple = table_.eraser();
  return simple != nullptr ? static_cast<int>(simple(&table_, 0, key)) : table_.remove(key, nullptr, 0);
}

template <Slots kSlots, Full kFull>
std::size_t HashMapOf<kSlots, kFull>::syscall_value_size() const noexcept {
  return kSlots == Slots::PerCpu ? stride_ * cpus_ : spec_.value_size;
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0 && (flags != spec::kLock || !may_lock(flags))) return -EINVAL;
  if (flags == 0) {
    const int error = table_.read(key, value, syscall_value_size());
    if (error == 0) value_lock_.hide(value);
    return error;
  }
  std::byte* found = table_.find(key);
  return found == nullptr ? -ENOENT : value_lock_.read_locked(value, found, spec_.value_size);
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::update_all(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  const unsigned cpu = kFull == Full::Evict ? current_cpu(cpus_) : 0;
  if constexpr (kSlots == Slots::One) return update(key, value, flags, cpu);
  AllCpus writer(value, spec_.value_size, cpus_);
  return table_.put(key, flags, HashTable::Replace::InPlace, writer, cpu);
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::take(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0 && (flags != spec::kLock || !may_lock(flags))) return -EINVAL;
  const int error = table_.remove(key, value, syscall_value_size(), flags == 0 ? ValueLock() : value_lock_);
  if (error == 0) value_lock_.hide(value);
  return error;
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::next_key(const std::byte* key, std::byte* next) noexcept {
  return table_.next_key(key, next);
}

template <Slots kSlots, Full kFull>
int HashMapOf<kSlots, kFull>::read_batch(Batch& batch, Then then) noexcept {
  batch.count = batch.room;
  std::byte* key_to = batch.keys;
  std::byte* value_to = batch.values;
  const bool locked = (batch.flags & spec::kLock) != 0 && value_lock_;
  return table_.read_chunks(batch.cursor, batch.count, then, [&](std::byte* key, std::byte* value) noexcept {
    copy_out(key_to, key, spec_.key_size);
    if (!locked || value_lock_.read_locked(value_to, value, spec_.value_size) != 0) {
      copy_out(value_to, value, syscall_value_size());
      value_lock_.hide(value_to);
    }
    key_to += spec_.key_size;
    value_to += syscall_value_size();
  });
}

template <Slots kSlots, Full kFull>
std::optional<MutableBytes> HashMapOf<kSlots, kFull>::value_at(const std::byte* address) noexcept {
  std::byte* value = table_.value_around(address);
  if (value == nullptr) return std::nullopt;
  if (kSlots == Slots::One) return MutableBytes(value, spec_.value_size);
  const auto offset = static_cast<std::size_t>(address - value);
  if (offset % stride_ >= spec_.value_size) return std::nullopt;
  return MutableBytes(value + offset / stride_ * stride_, spec_.value_size);
}

template <Slots kSlots, Full kFull>
std::int64_t HashMapOf<kSlots, kFull>::for_each(Visit visit, void* context, unsigned cpu) noexcept {
  if (kSlots == Slots::PerCpu && cpu >= cpus_) return -EINVAL;
  const std::size_t slot = kSlots == Slots::PerCpu ? cpu * stride_ : 0;
  return table_.for_each([&](std::byte* key, std::byte* value) noexcept { return visit(context, key, value + slot); });
}

template class HashMapOf<Slots::One, Full::Refuse>;
template class HashMapOf<Slots::PerCpu, Full::Refuse>;
template class HashMapOf<Slots::One, Full::Evict>;
template class HashMapOf<Slots::PerCpu, Full::Evict>;

}  // namespace skep::maps
