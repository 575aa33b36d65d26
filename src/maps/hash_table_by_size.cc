// The functions of a hash table that are made for sizes of keys: looking up, and what most updates and deletions of
// small elements come to, which is done in the key's home alone. All else is the table's (hash_table.cc).
#include <cerrno>
#include <type_traits>

#include "maps/hash_table.h"

namespace skep::maps {
namespace {

// The function for a size of keys: `choose` gets it as a constant, 0 for those that have none of their own.
template <class Choose>
auto for_key_size(std::uint32_t size, Choose choose) noexcept {
  using std::integral_constant;
  switch (size) {
    case 4: return choose(integral_constant<std::size_t, 4>{});
    case 8: return choose(integral_constant<std::size_t, 8>{});
    case 16: return choose(integral_constant<std::size_t, 16>{});
    default: return choose(integral_constant<std::size_t, 0>{});
  }
}

class Plain final : public HashTable::Writer {
 public:
  Plain(const std::byte* from, std::size_t size) noexcept : from_(from), size_(size) {}
  void fill(std::byte* value) noexcept override { copy_in(value, from_, size_); }
  void overwrite(std::byte* value) noexcept override { fill(value); }

 private:
  const std::byte* from_;
  std::size_t size_;
};

}  // namespace

// A key of a size known here (0: any), and its hash.
template <std::size_t kKeySize>
class HashTable::Sought {
 public:
  static constexpr bool kOneWord = kKeySize == 4 || kKeySize == 8;
  static constexpr bool kTwoWords = kKeySize == 16;

  Sought(const HashTable& table, const std::byte* key) noexcept
      : key_(key), size_(kKeySize != 0 ? kKeySize : table.shape_.key_size) {
    if constexpr (kOneWord) hash_ = table.word_hash_(words_[0] = key_word<kKeySize>(key));
    if constexpr (kTwoWords) hash_ = table.word_hash_(words_[0] = load_halves(key), words_[1] = load_halves(key + 8));
    if constexpr (!kOneWord && !kTwoWords) hash_ = maps::hash(key, size_, table.seed_);
  }

  std::uint64_t hash() const noexcept { return hash_; }
  std::uint8_t tag() const noexcept { return Control::tag_of(hash_); }
  bool is(std::byte* there) const noexcept {
    if constexpr (kOneWord) return word(there) == words_[0];
    if constexpr (kTwoWords) return word(there) == words_[0] && word(there + 8) == words_[1];
    return equal(there, key_, size_);
  }
  void copy_to(std::byte* slot) const noexcept {
    kOneWord ? word_at<std::uint64_t>(slot).store(words_[0], std::memory_order_release) : copy_in(slot, key_, size_);
  }

 private:
  static std::uint64_t word(std::byte* at) noexcept {
    return word_at<std::uint64_t>(at).load(std::memory_order_acquire);
  }

  const std::byte* key_;
  std::size_t size_;
  std::uint64_t words_[2] = {};
  std::uint64_t hash_ = 0;
};

// For a size of keys known here. A chunk that changes meanwhile leaves it to find().
template <std::size_t kKeySize, bool kPooled>
std::byte* HashTable::find_as(const void* table, std::uint64_t, const std::byte* key) noexcept {
  const HashTable& self = *static_cast<const HashTable*>(table);
  const Sought<kKeySize> sought(self, key);
  ChunkNumber number = self.home_of(sought.hash());
  for (std::uint32_t passed = 0; passed < self.layout_.chunks; ++passed, number = self.after(number)) {
    Chunk& at = self.chunk(number);
    const std::uint32_t generation = get(at.generation);
    const Control control = HashTable::control(at);
    for (auto slots = control.matches(sought.tag()); slots != 0; slots = Control::rest(slots)) {
      std::byte* const found = self.key_as<kPooled>(at, Control::first(slots));
      if (found == nullptr || !sought.is(found)) continue;
      if ((!sought.kOneWord || self.shape_.sparse) && get(at.generation) != generation) return self.find_again(key);
      if (kPooled && self.shape_.lru) ElementPool::touch(found);
      return found + self.layout_.value_at;
    }
    if (get(at.generation) != generation) return self.find_again(key);
    if (control.passed() == 0) return nullptr;
  }
  return nullptr;
}

// ---- in the home alone

template <std::size_t kKeySize>
unsigned HashTable::search_as(const Chunk& at, const Sought<kKeySize>& sought) const noexcept {
  for (auto slots = control(at).matches(sought.tag()); slots != 0; slots = Control::rest(slots))
    if (const unsigned number = Control::first(slots); sought.is(slot(at, number))) return number;
  return kSlots;
}

template <std::size_t kKeySize>
std::int64_t HashTable::put_as(void* table, std::uint64_t, const std::byte* key, const std::byte* value,
                               std::uint64_t flags) noexcept {
  HashTable& self = *static_cast<HashTable*>(table);
  const Sought<kKeySize> sought(self, key);
  const ChunkNumber home = self.home_of(sought.hash());
  const auto fill = [&](std::byte* to) noexcept {
    copy_in(to + self.layout_.value_at, value, self.shape_.value_bytes);
    sought.copy_to(to);
  };
  if (flags > spec::kExist) return -EINVAL;
  if (const Hold hold = Hold::if_free(self, home); hold) {
    Chunk& at = self.chunk(home);
    const unsigned slot = self.search_as(at, sought);
    if (slot != kSlots) return flags == spec::kNoExist ? -EEXIST : self.change_slot(at, slot, sought.tag(), fill);
    const bool fits = flags != spec::kExist && self.has_room(at) && self.is_not_behind(home, sought.hash(), key);
    const std::optional<Room> room = fits ? self.reserve() : std::nullopt;
    if (room) return self.add_to_slot(home, sought.tag(), 0, room->generation, fill);
  }
  return self.put_plain(key, value, flags);
}

template <std::size_t kKeySize>
std::int64_t HashTable::erase_as(void* table, std::uint64_t, const std::byte* key) noexcept {
  HashTable& self = *static_cast<HashTable*>(table);
  const Sought<kKeySize> sought(self, key);
  const ChunkNumber home = self.home_of(sought.hash());
  bool gone = false;
  if (const Hold hold = Hold::if_free(self, home); hold) {
    Chunk& at = self.chunk(home);
    const unsigned slot = self.search_as(at, sought);
    if (slot == kSlots && control(at).passed() == 0) return -ENOENT;
    gone = slot != kSlots;
    if (gone) self.drop(home, slot);
  }
  if (!gone) return self.remove(key, nullptr, 0);
  self.shrink();
  return 0;
}

int HashTable::put_plain(const std::byte* key, const std::byte* value, std::uint64_t flags) noexcept {
  Plain writer(value, shape_.value_bytes);
  return put(key, flags, Replace::NewElement, writer);
}

// ---- which they are

Recipe::Find HashTable::finder() const noexcept {
  return for_key_size(shape_.key_size, [&](auto size) -> Recipe::Find {
    return layout_.pooled ? find_as<size(), true> : find_as<size(), false>;
  });
}

Recipe::Update HashTable::updater() const noexcept {
  if (layout_.pooled) return nullptr;
  return for_key_size(shape_.key_size, [](auto size) -> Recipe::Update { return put_as<size()>; });
}

Recipe::Erase HashTable::eraser() const noexcept {
  if (layout_.pooled) return nullptr;
  return for_key_size(shape_.key_size, [](auto size) -> Recipe::Erase { return erase_as<size()>; });
}

}  // namespace skep::maps
