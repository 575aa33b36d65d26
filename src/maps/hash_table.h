// The hash table under every hash-like map: chunks of seven slots in shared memory.
//
//   chunk      {control, lock, generation}, then 7 slots; the control word (maps/control.h) holds a tag per slot
//   slot       small elements lie in it: key value, each rounded up to 8 bytes (128 together at most); else the link
//              of an element in a pool (maps/element_pool.h), as in LRU maps, whose elements have marks
//
// A key's hash names its home chunk. An element that finds no room there goes into the next chunk that has some, and
// every chunk it passes counts it, so that a search ends at the first chunk that nobody passed. Elements never move. Of
// seven slots with elements in them one stays empty, so that a replacement can be written beside what it replaces.
//
// Readers take no lock and write nothing. They read the control word, compare the keys of slots with the right tag, and
// believe that they found nothing, or copied something, only if the chunk's generation stood still. Writers hold the
// lock of the chunk they change; one that adds a key also that of the key's home, which makes adding a key exclusive.
// They never wait for a second lock while they hold a first. A thread that is alone in changing a table of small
// elements soon does so in keys' homes without the lock (maps/bias.h). Each change commits with one store: of the
// control word, or of a link where the key's element in a pool is replaced. The generation is bumped before a slot or
// element that readers might look at can be used again, and a slot's key is written last: whoever sees a key of one
// word has seen its value.
//
// A writer that dies leaves every chunk whole, at most a lock that is succeeded, a slot or element that nothing refers
// to, and counts that are too high; the successor notes that, and the elements are counted again before the map is said
// to be full.
//
// Memory for 8-byte keys and values: 36 bytes per entry, 16-byte ones: 54. Hostile regions: numbers are compared
// with this handle's layout, searches are bounded by it. Tested by: maps/hash_map_test.cc, maps/death_test.cc.
#pragma once

#include <bit>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "maps/bias.h"
#include "maps/control.h"
#include "maps/element_pool.h"
#include "maps/hash.h"
#include "maps/lock.h"
#include "maps/map.h"
#include "maps/recipe.h"
#include "maps/region.h"
#include "maps/words.h"

namespace skep::maps {

class HashTable {
 public:
  struct Shape {
    std::uint32_t key_size;
    std::size_t value_bytes;  // in the element, all CPUs
    std::uint32_t entries;    // elements at most
    unsigned cpus;
    bool lru;
  };
  // Where things lie in the region; computed, never read.
  struct Layout {
    std::size_t chunks_at = 0;
    std::uint32_t chunks = 0;
    std::size_t chunk_bytes = 0;
    std::size_t slot_bytes = 0;
    std::size_t value_at = 0;  // from the key
    bool pooled = false;
    std::size_t pool_at = 0;
    ElementPool::Shape pool{};
    std::size_t bytes = 0;  // 0: impossibly large
  };
  static Layout layout(const Shape& shape) noexcept;

  HashTable(const Region& region, const Shape& shape) noexcept;

  // How an update treats the value: as the value bytes of a new element, or of an existing one when `in_place`.
  class Writer {
   public:
    virtual void fill(std::byte* value) noexcept = 0;
    virtual void overwrite(std::byte* value) noexcept = 0;

   protected:
    ~Writer() = default;
  };
  enum class Replace : std::uint8_t { NewElement, InPlace };

  std::byte* find(const std::byte* key) const noexcept;  // its value, or null
  void touch(std::byte* value) const noexcept;           // LRU: just used
  // Both in one, made for this table's size of keys; called with the table.
  Recipe::Find finder() const noexcept;
  // What finds elements without a call; none for tables whose keys are not one word, or whose elements are in a pool.
  Recipe::Chunks chunks() const noexcept;
  // Updates of whole values and deletions, likewise; null for tables whose elements are in a pool.
  Recipe::Update updater() const noexcept;
  Recipe::Erase eraser() const noexcept;
  // Copies `size` bytes of the value, all of them of one element that had this key. 0 or -ENOENT.
  int read(const std::byte* key, std::byte* to, std::size_t size) noexcept;
  int put(const std::byte* key, std::uint64_t flags, Replace replace, Writer& writer) noexcept;
  // Removes the element, after copying `size` bytes of its value to `to`, under the value's lock if there is one.
  int remove(const std::byte* key, std::byte* to, std::size_t size, const ValueLock& value_lock = {}) noexcept;
  int next_key(const std::byte* key, std::byte* next) noexcept;
  // Visits the elements of whole chunks from `cursor` on, at most `room`, and removes them if told so. 0, -ENOENT,
  // -ENOSPC as Map::read_batch; `cursor` and `room` become where to go on and how many were visited.
  template <class Visitor>
  int read_chunks(std::uint32_t& cursor, std::uint32_t& room, Then then, Visitor visit) noexcept;
  // The values of all elements, each with its key, until `visit` returns non-zero; the number visited.
  template <class Visitor>
  std::int64_t for_each(Visitor visit) noexcept;
  // The start of the value that `address` lies in, if it lies in the value of an element.
  std::byte* value_around(const std::byte* address) const noexcept;

 private:
  static constexpr std::uint32_t kMostChunksOfOne = 1U << 16;  // they are all looked at when a bias is granted

  struct Chunk {
    std::uint64_t control;
    std::uint32_t lock;
    std::uint32_t generation;
  };
  static_assert(sizeof(Chunk) == Recipe::Chunks::kHeaderBytes);

  // In Header::kind. There are two counts, so that one can be made anew while the other is in use: who changes a
  // chunk that is in the new one already changes both.
  struct State {
    ElementPool::State pool;
    std::uint32_t counts[2];
    std::uint32_t phase;  // chunks at the start that are in both counts << 1 | the count in use
    std::uint32_t recount_lock;
    std::uint32_t dirty;      // somebody died while holding a lock
    std::uint32_t looked_at;  // the second in which the dead were last sought
  };

  struct Habits {                 // in Header::habits
    Bias bias;                    // whose owner goes by the locks of all chunks that are free
    std::uint32_t changed_alone;  // the chunk that the owner changes, or changed last
  };

  using ChunkNumber = std::uint32_t;
  struct Place {
    ChunkNumber chunk = 0;
    std::uint32_t generation = 0;  // of the chunk, before it was searched
    unsigned slot = kSlots;        // kSlots: nowhere
    bool unsure = false;           // a chunk never stood still
    explicit operator bool() const noexcept { return slot != kSlots; }
  };
  struct Wanted {
    std::uint64_t hash;
    ChunkNumber home;
    const std::byte* key;
  };
  struct Addition {
    const Wanted& wanted;
    unsigned count;  // where it is counted
    Writer& writer;
  };
  enum class By : std::uint8_t { Lock, Bias };  // what lets a thread change a chunk
  class Alone;
  class Hold;

  Chunk& chunk(ChunkNumber number) const noexcept {
    return *reinterpret_cast<Chunk*>(chunks_ + number * layout_.chunk_bytes);
  }
  std::byte* slot(const Chunk& chunk, unsigned number) const noexcept {
    auto* const bytes = reinterpret_cast<std::byte*>(const_cast<Chunk*>(&chunk));
    return bytes + sizeof(Chunk) + number * layout_.slot_bytes;
  }
  std::uint32_t& link(const Chunk& chunk, unsigned number) const noexcept {
    return *reinterpret_cast<std::uint32_t*>(slot(chunk, number));
  }
  static Control control(const Chunk& chunk) noexcept { return Control(get(const_cast<Chunk&>(chunk).control)); }
  static void commit(Chunk& chunk, Control control) noexcept { set(chunk.control, control.bits()); }
  // Before what a slot referred to may be used again.
  static void outdate(Chunk& chunk) noexcept { set(chunk.generation, get(chunk.generation) + 1); }
  static void pass(Chunk& chunk) noexcept { commit(chunk, control(chunk).with_one_past()); }

  ChunkNumber home_of(std::uint64_t hash) const noexcept {
    return static_cast<ChunkNumber>((hash >> 32) * layout_.chunks >> 32);
  }
  // Users see cursors among as many buckets as the kernel would have: of a chunk the first that is its.
  std::uint64_t buckets() const noexcept { return std::bit_ceil(std::uint64_t{shape_.entries}); }
  ChunkNumber chunk_at(std::uint64_t cursor) const noexcept {
    return cursor >= buckets() ? layout_.chunks : static_cast<ChunkNumber>(cursor * layout_.chunks / buckets());
  }
  std::uint32_t cursor_at(std::uint64_t chunk) const noexcept {
    return static_cast<std::uint32_t>((chunk * buckets() + layout_.chunks - 1) / layout_.chunks);
  }
  ChunkNumber after(ChunkNumber number) const noexcept { return number + 1 == layout_.chunks ? 0 : number + 1; }
  std::uint64_t hash_of(const std::byte* key) const noexcept;
  // The key of what is in a slot; null when a hostile region's link leads nowhere.
  std::byte* key_in(const Chunk& chunk, unsigned slot) const noexcept;
  template <bool kPooled>
  std::byte* key_as(const Chunk& chunk, unsigned number) const noexcept {
    if (!kPooled) return slot(chunk, number);
    const std::uint32_t element = get(link(chunk, number));
    return pool_.valid(element) ? pool_.key(element) : nullptr;
  }

  template <std::size_t kKeySize>
  class Sought;
  // Sizes of keys that have functions of their own; 0 is for all others.
  template <std::size_t kKeySize, bool kPooled>
  static std::byte* find_as(const void* table, std::uint64_t, const std::byte* key) noexcept;
  // What an operation returns that did not get as far as it may get some other way.
  static bool is_undecided(int result) noexcept {
    return result == -EBUSY || result == -EAGAIN || result == -E2BIG || result == -ENOMEM;
  }
  template <std::size_t kKeySize>
  std::optional<int> put_in_home(const Sought<kKeySize>& sought, const std::byte* value, std::uint64_t flags,
                                 By by) noexcept;
  template <std::size_t kKeySize>
  static std::int64_t put_as(void* table, std::uint64_t, const std::byte* key, const std::byte* value,
                             std::uint64_t flags) noexcept;
  template <std::size_t kKeySize>
  static std::int64_t erase_as(void* table, std::uint64_t, const std::byte* key) noexcept;
  std::byte* find_again(const std::byte* key) const noexcept;
  bool is_not_behind(ChunkNumber home, std::uint64_t hash, const std::byte* key) const noexcept;

  template <std::size_t kKeySize>
  unsigned search_as(const Chunk& chunk, const Sought<kKeySize>& sought) const noexcept;
  unsigned search(const Chunk& chunk, std::uint8_t tag, const std::byte* key) const noexcept;
  unsigned search(const Chunk& chunk, std::uint32_t element) const noexcept;
  auto by_key(std::uint64_t hash, const std::byte* key) const noexcept {
    return [this, tag = Control::tag_of(hash), key](const Chunk& at) { return search(at, tag, key); };
  }
  template <class Search>
  Place look(ChunkNumber home, Search search) const noexcept;
  template <class Search, class Use>
  bool with_stable(ChunkNumber home, Search search, Use use) const noexcept;

  int put_once(const Wanted& wanted, std::uint64_t flags, Replace replace, Writer& writer, By by) noexcept;
  int change(ChunkNumber number, unsigned slot, const Wanted& wanted, std::uint64_t flags, Replace replace,
             Writer& writer) noexcept;
  template <class Fill>
  int change_slot(Chunk& at, unsigned old, std::uint8_t tag, Fill fill) noexcept;
  int change_element(ChunkNumber number, unsigned slot, const std::byte* key, Writer& writer) noexcept;
  void fill(std::byte* key_at, const std::byte* key, Writer& writer) const noexcept;
  std::uint32_t make_element(ChunkNumber number, const std::byte* key, Writer& writer) noexcept;
  bool has_room(const Chunk& chunk) const noexcept { return control(chunk).population() < usable_; }
  int add(Hold& hold, const Wanted& wanted, Writer& writer, By by) noexcept;
  struct Oldest {
    std::uint32_t element = 0;  // 0: none could be had at once
    ChunkNumber chunk = 0, home = 0;
  };
  int add_for_oldest(Hold& hold, const Wanted& wanted, Writer& writer) noexcept;
  Oldest take_oldest(ChunkNumber held, unsigned count) noexcept;
  int add_behind(const Addition& addition, ChunkNumber& reached, By by) noexcept;
  int add_here(ChunkNumber number, const Addition& addition) noexcept;
  template <class Fill>
  int add_to_slot(ChunkNumber number, std::uint8_t tag, unsigned count, Fill fill) noexcept;

  std::uint32_t unlink(ChunkNumber number, unsigned slot) noexcept;
  void drop(ChunkNumber number, unsigned slot) noexcept;
  void forget_passing(ChunkNumber home, ChunkNumber end, By by = By::Lock) noexcept;
  template <class Search, class Before>
  int remove_once(ChunkNumber home, Search search, Before before, By by) noexcept;
  int remove_alone(std::uint64_t hash, const std::byte* key) noexcept;
  bool evict() noexcept;
  void make_room() noexcept;
  void repair(Chunk& chunk) noexcept;
  void reclaim(std::uint32_t element) noexcept;

  std::uint32_t add_to_count(unsigned which, int by) noexcept;
  std::optional<unsigned> reserve() noexcept;
  void note_change(ChunkNumber number, unsigned count, int by) noexcept;
  void recount() noexcept;
  bool counts_may_be_wrong(int error) noexcept;
  bool seek_the_dead() noexcept;

  bool may_be_alone() const noexcept { return !layout_.pooled && layout_.chunks <= kMostChunksOfOne; }
  bool is_alone() const noexcept { return get(habits_->bias.inside) != 0; }
  bool settle_bias(ChunkNumber number) noexcept;
  bool end_bias() noexcept;
  void grant_bias(ChunkNumber number) noexcept;
  bool first_from(std::uint32_t number, std::byte* next) noexcept;

  Shape shape_;
  Layout layout_;
  unsigned usable_;  // slots of a chunk that may be in use
  std::byte* chunks_;
  ElementPool pool_;
  State* state_;
  Habits* habits_;
  WordHash word_hash_;
  std::uint64_t seed_;
};

// The owner of the bias, for a scope in which he changes the table without locks.
class HashTable::Alone {
 public:
  explicit Alone(HashTable& table) noexcept : bias_(table.habits_->bias), is_(bias_.enter(thread_id())) {}
  ~Alone() {
    if (is_) bias_.leave();
  }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;
  explicit operator bool() const noexcept { return is_; }
  By by() const noexcept { return is_ ? By::Bias : By::Lock; }

 private:
  Bias& bias_;
  bool is_;
};

// A chunk held, for a scope. When its last owner died, what that one may have left is cleared up.
class HashTable::Hold {
 public:
  // By the bias: not if somebody has the lock, who may be waiting for the bias to end.
  Hold(HashTable& table, ChunkNumber number, By by = By::Lock) noexcept {
    if (by == By::Bias)
      hold_alone(table, number);
    else
      hold(table, number, lock(table.chunk(number).lock));
  }
  // Not if that means waiting.
  static Hold if_free(HashTable& table, ChunkNumber number, By by = By::Lock) noexcept {
    return {table, number, by, IfFree{}};
  }
  ~Hold() { release(); }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const noexcept { return chunk_ != nullptr; }
  void release() noexcept {
    if (is_locked_) unlock(chunk_->lock);
    chunk_ = nullptr, is_locked_ = false;
  }

 private:
  struct IfFree {};
  Hold(HashTable& table, ChunkNumber number, By by, IfFree) noexcept {
    if (by == By::Bias)
      hold_alone(table, number);
    else
      hold_if_free(table, number);
  }
  void hold(HashTable& table, ChunkNumber number, Locked locked) noexcept {
    if (locked == Locked::No) return;
    Chunk& chunk = table.chunk(number);
    if (!table.settle_bias(number)) return unlock(chunk.lock);
    chunk_ = &chunk, is_locked_ = true;
    if (locked == Locked::Inherited) table.repair(chunk);
  }
  void hold_alone(HashTable& table, ChunkNumber number) noexcept {
    Chunk& chunk = table.chunk(number);
    set(table.habits_->changed_alone, number);
    if (get(chunk.lock) == 0) [[likely]]
      chunk_ = &chunk;
  }
  [[gnu::noinline]] void hold_if_free(HashTable& table, ChunkNumber number) noexcept {
    std::uint32_t& word = table.chunk(number).lock;
    if (!try_lock(word)) return;
    if (table.habits_->bias.lets_pass(thread_id()))
      hold(table, number, Locked::Yes);
    else
      unlock(word);
  }

  Chunk* chunk_ = nullptr;
  bool is_locked_ = false;
};

// What it was before.
inline std::uint32_t HashTable::add_to_count(unsigned which, int by) noexcept {
  const std::atomic_ref<std::uint32_t> count(state_->counts[which]);
  if (!is_alone()) return count.fetch_add(static_cast<std::uint32_t>(by), std::memory_order_acq_rel);
  const std::uint32_t before = count.load(std::memory_order_relaxed);
  count.store(before + static_cast<std::uint32_t>(by), std::memory_order_release);
  return before;
}

// Counts one more, unless the map is full. Which of the counts it was.
inline std::optional<unsigned> HashTable::reserve() noexcept {
  const unsigned current = get(state_->phase) & 1;
  const std::atomic_ref<std::uint32_t> count(state_->counts[current]);
  std::uint32_t used = count.load(std::memory_order_relaxed);
  while (used < shape_.entries) {
    if (is_alone()) return add_to_count(current, 1), current;
    if (count.compare_exchange_weak(used, used + 1, std::memory_order_acq_rel)) return current;
  }
  return {};
}

// A locked chunk holds one more or one less, which `count` knows: the other count must, if it has this chunk already.
inline void HashTable::note_change(ChunkNumber number, unsigned count, int by) noexcept {
  if (number < get(state_->phase) >> 1) add_to_count(count ^ 1, by);
}

// Takes what is in a slot of a locked chunk out of it: its link, 0 if there is no element in the pool.
inline std::uint32_t HashTable::unlink(ChunkNumber number, unsigned slot) noexcept {
  Chunk& at = chunk(number);
  const std::uint32_t element = layout_.pooled ? get(link(at, slot)) : 0;
  if (pool_.valid(element)) pool_.end_use(element);
  commit(at, control(at).without(slot));
  outdate(at);
  return element;
}

// From a slot of a locked chunk.
inline void HashTable::drop(ChunkNumber number, unsigned slot) noexcept {
  const std::uint32_t element = unlink(number, slot);
  if (pool_.valid(element)) pool_.give_back(element);
  const unsigned count = get(state_->phase) & 1;
  add_to_count(count, -1);
  note_change(number, count, -1);
}

// Of a locked chunk. `fill` gets an empty slot. -ENOMEM where there is none: never when has_room(), but for a region
// that somebody scribbles on.
template <class Fill>
int HashTable::add_to_slot(ChunkNumber number, std::uint8_t tag, unsigned count, Fill fill) noexcept {
  Chunk& at = chunk(number);
  const Control now = control(at);
  if (now.empty() == 0) return -ENOMEM;
  const unsigned fresh = Control::first(now.empty());
  fill(slot(at, fresh));
  commit(at, now.with(fresh, tag));
  note_change(number, count, 1);
  return 0;
}

// Likewise, in the place of another.
template <class Fill>
int HashTable::change_slot(Chunk& at, unsigned old, std::uint8_t tag, Fill fill) noexcept {
  const Control now = control(at);
  if (now.empty() == 0) return -ENOMEM;
  const unsigned fresh = Control::first(now.empty());
  fill(slot(at, fresh));
  commit(at, now.with(fresh, tag).without(old));
  outdate(at);
  return 0;
}

template <class Visitor>
int HashTable::read_chunks(std::uint32_t& cursor, std::uint32_t& room, Then then, Visitor visit) noexcept {
  std::uint32_t visited = 0;
  int result = -ENOENT;
  std::uint32_t number = chunk_at(cursor);
  for (; number < layout_.chunks; ++number) {
    Chunk& at = chunk(number);
    if (control(at).used() == 0) continue;
    ChunkNumber homes[kSlots];
    unsigned strangers = 0;
    {
      const Hold hold(*this, number);
      const Control::Slots used = control(at).used();
      if (!hold || control(at).population() > room - visited) {
        result = !hold ? -EBUSY : visited == 0 ? -ENOSPC : 0;
        break;
      }
      for (Control::Slots slots = used; slots != 0; slots = Control::rest(slots)) {
        const unsigned slot = Control::first(slots);
        std::byte* const key = key_in(at, slot);
        if (key == nullptr) continue;
        visit(key, key + layout_.value_at);
        ++visited;
        if (then == Then::Keep) continue;
        const ChunkNumber home = home_of(hash_of(key));
        if (home != number) homes[strangers++] = home;
        drop(number, slot);
      }
    }
    for (unsigned i = 0; i < strangers; ++i) forget_passing(homes[i], number);
  }
  cursor = cursor_at(number);
  room = visited;
  return result;
}

template <class Visitor>
std::int64_t HashTable::for_each(Visitor visit) noexcept {
  std::int64_t visited = 0;
  for (ChunkNumber number = 0; number < layout_.chunks; ++number) {
    Chunk& at = chunk(number);
    for (Control::Slots slots = control(at).used(); slots != 0; slots = Control::rest(slots)) {
      const unsigned slot = Control::first(slots);
      std::byte* const key = control(at).is_used(slot) ? key_in(at, slot) : nullptr;  // the visitor may delete
      if (key == nullptr) continue;
      ++visited;
      if (visit(key, key + layout_.value_at) != 0) return visited;
    }
  }
  return visited;
}

}  // namespace skep::maps
