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
// They never wait for a second lock while they hold a first. A thread that is alone in changing a table soon
// does so without the locks (maps/bias.h). Each change commits with one store: of the
// control word, or of a link where the key's element in a pool is replaced. The generation is bumped before a slot or
// element that readers might look at can be used again, and a slot's key is written last: whoever sees a key of one
// word has seen its value.
//
// A writer that dies leaves every chunk whole, at most a lock that is succeeded, a slot or element that nothing refers
// to, and counts that are too high; the successor notes that, and the elements are counted again before the map is said
// to be full.
//
// An LRU map keeps the kernel's targets. A CPU takes free elements in advance (maps/local_free.h), min(128, max_entries
// / CPUs / 2) of them, and when there are not so many any more evicts in place of the rest; with lists per CPU each has
// a share of its own, evicts when that is full, and four at once. Every update but one that wants an element to be
// there begins with that, whether it needs the element or not.
//
// Memory for 8-byte keys and values: 36 bytes per entry, 16-byte ones: 54. Hostile regions: numbers are compared
// with this handle's layout, searches are bounded by it. Tested by: maps/hash_map_test.cc, maps/death_test.cc.
#pragma once

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "maps/bias.h"
#include "maps/control.h"
#include "maps/element_pool.h"
#include "maps/hash.h"
#include "maps/local_free.h"
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
    enum Lru : std::uint8_t { No, Common, PerCpu } lru;
    bool sparse = false;  // takes memory as it is used
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
    std::size_t shares_at = 0;    // where each CPU has its share
    std::size_t local_at = 0;     // what the CPUs of an LRU map took in advance
    std::size_t local_bytes = 0;  // of one
    std::uint32_t local_target = 0;
    std::uint32_t block_chunks = 0;  // that whole pages hold, as few as can be
    std::size_t bytes = 0;           // 0: impossibly large
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
  // By `cpu`, whose free elements an LRU map takes.
  int put(const std::byte* key, std::uint64_t flags, Replace replace, Writer& writer, unsigned cpu = 0) noexcept;
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

  // Elements, and how many there are. There are two counts, so that one can be made anew while the other is in use: who
  // changes a chunk that is in the new one already changes both.
  struct Share {
    ElementPool::State pool;
    std::uint32_t counts[2];
  };
  // In Header::kind.
  struct State {
    Share share;          // but where each CPU has one
    std::uint64_t phase;  // the count's generation << 32 | chunks at the start that are in both counts
    std::uint32_t recount_lock;
    std::uint32_t dirty;      // somebody died while holding a lock
    std::uint32_t looked_at;  // the second in which the dead were last sought
    std::uint32_t highest;    // count of elements since memory was last given back
    std::uint32_t given_at;   // the second in which that was
    std::uint32_t left;       // elements that there were still
    std::uint32_t given;      // blocks of chunks, ever
  };
  struct Habits {                 // in Header::habits
    Bias bias;                    // whose owner goes by the locks of all chunks that are free
    std::uint32_t changed_alone;  // the chunk that the owner changes, or changed last
  };
  // Of the counts the generation's last bit says which is in use.
  static std::uint32_t generation_of(std::uint64_t phase) noexcept { return static_cast<std::uint32_t>(phase >> 32); }
  static std::uint32_t counted(std::uint64_t phase) noexcept { return static_cast<std::uint32_t>(phase); }
  std::uint32_t generation() const noexcept { return generation_of(get(state_->phase)); }

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
  enum class By : std::uint8_t { Lock, Bias };  // what lets a thread change a chunk
  // A place for one more element.
  struct Room {
    std::uint32_t generation;  // of the count that it is in
    std::uint32_t element;     // probably free; 0: none in particular
  };
  struct Addition {
    const Wanted& wanted;
    Room room;
    unsigned cpu;
    Writer& writer;
    By by;
  };
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
  // Before what a slot referred to may be used again. Never 0, which is the generation of chunks without elements.
  static void outdate(Chunk& chunk) noexcept {
    const std::uint32_t next = get(chunk.generation) + 1;
    set(chunk.generation, next == 0 ? 1 : next);
  }
  // Before the first element of a chunk that was never used, or was given back: another one than it had then.
  void begin_generation(Chunk& chunk) noexcept {
    if (shape_.sparse && get(chunk.generation) == 0) set(chunk.generation, get(state_->given) * 0x9e3779b1U | 1);
  }
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

  int put_alone(const Wanted& wanted, std::uint64_t flags, Replace replace, Writer& writer, unsigned cpu) noexcept;
  int put_once(const Wanted& wanted, std::uint64_t flags, Replace replace, Writer& writer, unsigned cpu,
               By by) noexcept;
  int change(ChunkNumber number, unsigned slot, const Wanted& wanted, std::uint64_t flags, Replace replace,
             Writer& writer) noexcept;
  template <class Fill>
  int change_slot(Chunk& at, unsigned old, std::uint8_t tag, Fill fill) noexcept;
  int change_element(ChunkNumber number, unsigned slot, const std::byte* key, Writer& writer) noexcept;
  void fill(std::byte* key_at, const std::byte* key, Writer& writer) const noexcept;
  std::uint32_t make_element(unsigned part, ChunkNumber number, const std::byte* key, Writer& writer,
                             std::uint32_t hint = 0, By by = By::Lock) noexcept;
  bool has_room(const Chunk& chunk) const noexcept { return control(chunk).population() < usable_; }
  int add(Hold& hold, const Wanted& wanted, Writer& writer, unsigned cpu, By by) noexcept;
  int add_behind(const Addition& addition, ChunkNumber& reached) noexcept;
  int add_here(ChunkNumber number, const Addition& addition) noexcept;
  template <class Fill>
  int add_to_slot(ChunkNumber number, std::uint8_t tag, unsigned part, std::uint32_t generation, Fill fill) noexcept;

  std::uint32_t unlink(ChunkNumber number, unsigned slot) noexcept;
  void drop(ChunkNumber number, unsigned slot) noexcept;
  void forget_passing(ChunkNumber home, ChunkNumber end, By by = By::Lock) noexcept;
  template <class Search, class Before>
  int remove_once(ChunkNumber home, Search search, Before before, By by) noexcept;
  int remove_alone(std::uint64_t hash, const std::byte* key) noexcept;
  void make_room(unsigned cpu) noexcept;
  template <class Take, class Use>
  bool take_out(std::uint32_t element, Take take, Use use, By by = By::Lock) noexcept;
  void repair(Chunk& chunk) noexcept;
  void reclaim(std::uint32_t element) noexcept;

  // LRU maps: what CPUs take in advance.
  unsigned parts() const noexcept { return shape_.lru == Shape::PerCpu ? shape_.cpus : 1; }
  unsigned part_of(unsigned cpu) const noexcept { return shape_.lru == Shape::PerCpu ? cpu : 0; }
  unsigned home_cpu(std::uint32_t element) const noexcept;
  LocalFree local_free(unsigned cpu) const noexcept {
    return {locals_ + cpu * layout_.local_bytes, layout_.local_target};
  }
  void take_in_advance(unsigned cpu, By by) noexcept;
  void take_from_others(unsigned cpu, std::uint32_t generation) noexcept;
  std::uint32_t take_free(unsigned part, std::uint32_t generation, std::span<std::uint32_t> links) noexcept;
  std::uint32_t evict(unsigned part, std::uint32_t generation, std::span<std::uint32_t> links, By by) noexcept;
  void give_room(const Room& room, unsigned cpu) noexcept;

  Share& share(unsigned part) const noexcept {
    return *reinterpret_cast<Share*>(shares_ + part * layout_.pool.state_bytes);
  }
  std::uint32_t& count(unsigned part, std::uint32_t generation) const noexcept {
    return share(part).counts[generation & 1];
  }
  void add_to_count(unsigned part, std::uint32_t generation, int by) noexcept;
  std::uint32_t reserve(unsigned part, std::uint32_t generation, std::uint32_t wanted) noexcept;
  std::optional<Room> reserve(unsigned cpu) noexcept;
  std::optional<Room> reserve() noexcept;
  // Tables that take memory as they are used give it back when most of what they held has gone.
  void shrink() noexcept {
    if (shape_.sparse && !layout_.pooled) shrink_if_due();
  }
  void shrink_if_due() noexcept;
  void give_blocks_back() noexcept;
  bool give_block_back(ChunkNumber first) noexcept;
  std::byte* block_memory(ChunkNumber first) const noexcept { return chunks_ + first * layout_.chunk_bytes; }
  void note_change(ChunkNumber number, unsigned part, std::uint32_t generation, int by) noexcept;
  void count_again(ChunkNumber number, std::uint32_t generation) noexcept;
  void recount() noexcept;
  bool counts_may_be_wrong(int error) noexcept;
  bool seek_the_dead() noexcept;
  bool may_be_alone() const noexcept { return layout_.chunks <= kMostChunksOfOne; }
  bool is_alone() const noexcept { return habits_->bias.is_inside(this_owner()); }
  bool end_bias() noexcept;
  void consider_bias(ChunkNumber number) noexcept;
  void grant_bias(ChunkNumber number) noexcept;
  bool first_from(std::uint32_t number, std::byte* next) noexcept;

  Shape shape_;
  Layout layout_;
  unsigned usable_;  // slots of a chunk that may be in use
  std::byte* chunks_;
  State* state_;
  Habits* habits_;
  std::byte* shares_;
  std::byte* locals_;
  ElementPool pool_;
  WordHash word_hash_;
  std::uint64_t seed_;
};

// The owner of the bias, for a scope in which he changes the table without locks.
class HashTable::Alone {
 public:
  explicit Alone(HashTable& table) noexcept : bias_(table.habits_->bias), is_(bias_.enter(this_owner())) {}
  ~Alone() {
    if (is_) bias_.leave(this_owner());
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
    if (locked == Locked::Inherited) table.repair(chunk);  // which an owner of the bias has left alone
    if (!table.habits_->bias.lets_pass(this_owner()) && !table.end_bias()) return unlock(chunk.lock);
    keep(table, number);
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
    if (table.habits_->bias.lets_pass(this_owner()))
      keep(table, number);
    else
      unlock(word);
  }
  void keep(HashTable& table, ChunkNumber number) noexcept {
    chunk_ = &table.chunk(number), is_locked_ = true;
    table.consider_bias(number);
  }

  Chunk* chunk_ = nullptr;
  bool is_locked_ = false;
};

inline void HashTable::add_to_count(unsigned part, std::uint32_t generation, int by) noexcept {
  const std::atomic_ref<std::uint32_t> count(this->count(part, generation));
  const auto more = static_cast<std::uint32_t>(by);
  if (is_alone())
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_release);
  else
    count.fetch_add(more, std::memory_order_acq_rel);
}

// Counts as many more as there is room for.
inline std::uint32_t HashTable::reserve(unsigned part, std::uint32_t generation, std::uint32_t wanted) noexcept {
  const std::atomic_ref<std::uint32_t> count(this->count(part, generation));
  const std::uint32_t most = shape_.entries / parts();
  std::uint32_t used = count.load(std::memory_order_relaxed);
  while (used < most) {
    const std::uint32_t more = std::min(wanted, most - used);
    if (is_alone())
      count.store(used + more, std::memory_order_release);
    else if (!count.compare_exchange_weak(used, used + more, std::memory_order_acq_rel))
      continue;
    if (shape_.sparse && used + more > get(state_->highest)) set(state_->highest, used + more);
    return more;
  }
  return 0;
}

inline std::optional<HashTable::Room> HashTable::reserve() noexcept {
  const std::uint32_t generation = this->generation();
  if (reserve(0, generation, 1) == 0) return {};
  return Room{.generation = generation, .element = 0};
}

// A locked chunk holds one more or one less, which the generation's count knows: the other count must, if it has this
// chunk already.
inline void HashTable::note_change(ChunkNumber number, unsigned part, std::uint32_t generation, int by) noexcept {
  if (number < counted(get(state_->phase))) add_to_count(part, generation + 1, by);
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
  const std::uint32_t generation = this->generation();
  const std::uint32_t element = unlink(number, slot);
  const unsigned part = pool_.valid(element) ? pool_.part(element) : 0;
  note_change(number, part, generation, -1);
  if (shape_.lru && pool_.valid(element)) {
    pool_.set_free(element);
    return give_room({.generation = generation, .element = element}, home_cpu(element));
  }
  if (pool_.valid(element)) pool_.give_back(element);
  add_to_count(part, generation, -1);
}

// Of a locked chunk. `fill` gets an empty slot. -ENOMEM where there is none: never when has_room(), but for a region
// that somebody scribbles on.
template <class Fill>
int HashTable::add_to_slot(ChunkNumber number, std::uint8_t tag, unsigned part, std::uint32_t generation,
                           Fill fill) noexcept {
  Chunk& at = chunk(number);
  const Control now = control(at);
  if (now.empty() == 0) return -ENOMEM;
  const unsigned fresh = Control::first(now.empty());
  begin_generation(at);
  fill(slot(at, fresh));
  commit(at, now.with(fresh, tag));
  note_change(number, part, generation, 1);
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
  if (then == Then::Remove) shrink();
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
