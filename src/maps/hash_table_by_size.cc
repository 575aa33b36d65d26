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

  const std::byte* key() const noexcept { return key_; }
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
[[gnu::always_inline]] inline unsigned HashTable::search_as(const Chunk& at,
                                                            const Sought<kKeySize>& sought) const noexcept {
  for (auto slots = control(at).matches(sought.tag()); slots != 0; slots = Control::rest(slots))
    if (const unsigned number = Control::first(slots); sought.is(slot(at, number))) return number;
  return kSlots;
}

// Nothing where the home is not all there is to it, or is not to be had.
template <std::size_t kKeySize>
[[gnu::always_inline]] inline std::optional<int> HashTable::put_in_home(const Sought<kKeySize>& sought,
                                                                        const std::byte* value, std::uint64_t flags,
                                                                        By by) noexcept {
  const auto fill = [&](std::byte* to) noexcept {
    copy_in(to + layout_.value_at, value, shape_.value_bytes);
    sought.copy_to(to);
  };
  const ChunkNumber home = home_of(sought.hash());
  const Hold hold = Hold::if_free(*this, home, by);
  if (!hold) return {};
  Chunk& at = chunk(home);
  const unsigned slot = search_as(at, sought);
  if (slot != kSlots) return flags == spec::kNoExist ? -EEXIST : change_slot(at, slot, sought.tag(), fill);
  if (flags == spec::kExist || !has_room(at)) return {};
  if (control(at).passed() != 0 && !is_not_behind(home, sought.hash(), sought.key())) return {};
  const std::optional<Room> room = reserve();
  if (!room) return {};
  return add_to_slot(home, sought.tag(), 0, room->generation, fill);
}

template <std::size_t kKeySize>
std::int64_t HashTable::put_as(void* table, std::uint64_t, const std::byte* key, const std::byte* value,
                               std::uint64_t flags) noexcept {
  HashTable& self = *static_cast<HashTable*>(table);
  const Sought<kKeySize> sought(self, key);
  if (flags > spec::kExist) return -EINVAL;
  Plain writer(value, self.shape_.value_bytes);
  {
    const Alone alone(self);
    const std::optional<int> result = self.put_in_home(sought, value, flags, alone.by());
    if (result) return *result;
    if (alone) {
      const Wanted wanted{sought.hash(), self.home_of(sought.hash()), key};
      const int further = self.put_once(wanted, flags, Replace::NewElement, writer, 0, By::Bias);
      if (!is_undecided(further)) return further;
    }
  }
  return self.put(key, flags, Replace::NewElement, writer);
}

template <std::size_t kKeySize>
std::int64_t HashTable::erase_as(void* table, std::uint64_t, const std::byte* key) noexcept {
  HashTable& self = *static_cast<HashTable*>(table);
  const Sought<kKeySize> sought(self, key);
  const ChunkNumber home = self.home_of(sought.hash());
  std::optional<int> result;
  {
    const Alone alone(self);
    if (const Hold hold = Hold::if_free(self, home, alone.by()); hold) {
      Chunk& at = self.chunk(home);
      const unsigned slot = self.search_as(at, sought);
      if (slot == kSlots && control(at).passed() == 0) return -ENOENT;
      if (slot != kSlots) {
        self.drop(home, slot);
        result = 0;
      }
    }
    if (!result && alone) result = self.remove_alone(sought.hash(), key);
  }
  if (!result || is_undecided(*result)) return self.remove(key, nullptr, 0);
  if (*result == 0) self.shrink();
  return *result;
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
