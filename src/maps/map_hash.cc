#include "maps/map_hash.h"

#include "maps/domain.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

HashTable::Shape shape_of(const spec::MapSpec& spec, unsigned cpus) {
  return {.key_size = spec.key_size,
          .value_bytes = sizeof(Reference),
          .entries = spec.max_entries,
          .cpus = cpus,
          .lru = HashTable::Shape::No};
}

class ReferenceWriter final : public HashTable::Writer {
 public:
  explicit ReferenceWriter(Reference to) noexcept : to_(to) {}
  void fill(std::byte* value) noexcept override {
    word_at<std::uint64_t>(value).store(std::bit_cast<std::uint64_t>(to_), std::memory_order_release);
  }
  void overwrite(std::byte* value) noexcept override {
    old_ = std::bit_cast<Reference>(word_at<std::uint64_t>(value).exchange(std::bit_cast<std::uint64_t>(to_)));
  }
  Reference old() const noexcept { return old_; }

 private:
  Reference to_;
  Reference old_{};
};

}  // namespace

Result<Plan> MapHash::plan(const spec::MapSpec& spec, unsigned cpus) {
  const HashTable::Layout layout = HashTable::layout(shape_of(spec, cpus));
  if (layout.bytes == 0) return fail(ENOMEM, "hash of maps: larger than an address space");
  const bool sparse = (spec.flags & spec::kNoPrealloc) != 0;
  return Plan{.header_at = 0, .bytes = layout.bytes, .resident = sparse ? kPageSize : layout.bytes};
}

MapHash::MapHash(Parts&& parts) : Map(std::move(parts)), table_(region_, shape_of(spec_, domain_.cpus())) {}

int MapHash::erase(const std::byte* key) noexcept { return table_.remove(key, nullptr, 0); }
int MapHash::next_key(const std::byte* key, std::byte* next) noexcept { return table_.next_key(key, next); }

int MapHash::copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  Reference found;
  const int error = table_.read(key, reinterpret_cast<std::byte*>(&found), sizeof found);
  if (error == 0) store(value, found.id);
  return error;
}

int MapHash::read_batch(Batch& batch, Then then) noexcept {
  if (then == Then::Remove) return -EOPNOTSUPP;
  batch.count = batch.room;
  std::byte* key_to = batch.keys;
  std::byte* value_to = batch.values;
  return table_.read_chunks(batch.cursor, batch.count, then, [&](std::byte* key, std::byte* value) noexcept {
    copy_out(key_to, key, spec_.key_size);
    copy_out(value_to, value, sizeof(std::uint32_t));  // the id
    key_to += spec_.key_size;
    value_to += sizeof(std::uint32_t);
  });
}

Reference MapHash::reference(const std::byte* key) noexcept {
  Reference found;
  return table_.read(key, reinterpret_cast<std::byte*>(&found), sizeof found) == 0 ? found : Reference{};
}

int MapHash::set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept {
  Reference was;
  int error = 0;
  if (to == Reference{}) {
    error = table_.remove(key, reinterpret_cast<std::byte*>(&was), sizeof was);
  } else {
    ReferenceWriter writer(to);
    error = table_.put(key, flags, HashTable::Replace::InPlace, writer);
    was = writer.old();
  }
  if (old != nullptr) *old = was;
  return error;
}

}  // namespace skep::maps
