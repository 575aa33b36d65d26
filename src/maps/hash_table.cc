#include "maps/hash_table.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

#include "base/thread.h"

namespace skep::maps {
namespace {

constexpr std::size_t kMostInSlot = 128;    // bytes of an element that lies in the slot itself
constexpr std::uint32_t kSpare = 16;        // pooled elements that replacements hold for a moment, beside one per CPU
constexpr std::uint32_t kSpareEach = 4;     // likewise, where each CPU has a share of its own
constexpr std::uint32_t kPerCpuTarget = 4;  // elements that are evicted at once from such a share
constexpr std::size_t kCacheLine = 64;
constexpr unsigned kMostRetries = 1000;     // of what others disturb
constexpr std::uint32_t kFewChunks = 64;    // that are looked through without much ado
constexpr unsigned kMostAllocations = 100;  // until a replacement gives up waiting for a spare

// Chunks are full to three quarters of what may be in use when the map is.
std::uint64_t chunks_for(std::uint64_t entries, unsigned usable) noexcept {
  return std::max<std::uint64_t>(1, (entries * 4 + usable * 3 - 1) / (usable * 3));
}
// Or to less, where small elements leave memory: an eighth more than keys, values and 16 bytes each. An element that
// finds its home full makes every search that comes by go on.
std::uint64_t chunks_within(std::uint64_t entries, std::uint64_t element_bytes, std::uint64_t chunk_bytes) noexcept {
  return entries * ((element_bytes + 16) * 9 / 8) / chunk_bytes;
}
unsigned usable_slots(bool pooled) noexcept { return pooled ? kSlots : kSlots - 1; }

}  // namespace

HashTable::Layout HashTable::layout(const Shape& shape) noexcept {
  Layout result;
  result.value_at = round_up(shape.key_size, 8);
  const std::size_t element_bytes = result.value_at + round_up(shape.value_bytes, 8);
  result.pooled = shape.lru || element_bytes > kMostInSlot;
  result.slot_bytes = result.pooled ? sizeof(std::uint32_t) : element_bytes;
  result.chunk_bytes = round_up(sizeof(Chunk) + kSlots * result.slot_bytes, 16);
  std::uint64_t chunks = chunks_for(shape.entries, usable_slots(result.pooled));
  if (!result.pooled)
    chunks = std::max(chunks, chunks_within(shape.entries, shape.key_size + shape.value_bytes, result.chunk_bytes));
  result.chunks = static_cast<std::uint32_t>(chunks);
  result.block_chunks = static_cast<std::uint32_t>(kPageSize / std::gcd(kPageSize, result.chunk_bytes));
  Planner planner;
  planner.place(1, kPageSize, kPageSize);
  result.chunks_at = planner.place(chunks, result.chunk_bytes, kPageSize);
  if (result.pooled) {
    const bool shared = shape.lru != Shape::PerCpu;
    const unsigned parts = shared ? 1 : shape.cpus;
    const std::uint64_t capacity = shared ? std::uint64_t{shape.entries} + shape.cpus + kSpare
                                          : std::uint64_t{shape.entries} / shape.cpus + kSpareEach;
    result.pool = {.element_bytes = ElementPool::kHeaderBytes + element_bytes,
                   .capacity = static_cast<std::uint32_t>(std::min<std::uint64_t>(capacity, UINT32_MAX / parts - 1)),
                   .parts = parts,
                   .state_bytes = round_up(sizeof(Share), kCacheLine)};
    result.pool_at = planner.place(capacity * parts, result.pool.element_bytes, kCacheLine);
    if (!shared) result.shares_at = planner.place(parts, result.pool.state_bytes, kCacheLine);
  }
  if (shape.lru != Shape::No) {
    result.local_target =
        shape.lru == Shape::PerCpu ? kPerCpuTarget : std::clamp(shape.entries / shape.cpus / 2, 1U, LocalFree::kMost);
    result.local_bytes = LocalFree::bytes(result.local_target);
    result.local_at = planner.place(shape.cpus, result.local_bytes, kCacheLine);
  }
  if (!planner.invalid()) result.bytes = round_up(planner.bytes(), kPageSize);
  return result;
}

HashTable::HashTable(const Region& region, const Shape& shape) noexcept
    : shape_(shape),
      layout_(layout(shape)),
      usable_(usable_slots(layout_.pooled)),
      chunks_(region.data() + layout_.chunks_at),
      state_(reinterpret_cast<State*>(region.header().kind)),
      habits_(reinterpret_cast<Habits*>(region.header().habits)),
      shares_(layout_.shares_at != 0 ? region.data() + layout_.shares_at : region.header().kind),
      locals_(region.data() + layout_.local_at),
      word_hash_(get(region.header().seed)),
      seed_(get(region.header().seed)) {
  static_assert(sizeof(State) <= sizeof(Header::kind) && sizeof(Habits) <= sizeof(Header::habits));
  static_assert(offsetof(State, share) == 0 && offsetof(Share, pool) == 0);
  if (layout_.pooled) pool_ = ElementPool(region.data() + layout_.pool_at, layout_.pool, share(0).pool);
}

std::uint64_t HashTable::hash_of(const std::byte* key) const noexcept {
  switch (shape_.key_size) {
    case 4: return word_hash_(key_word<4>(key));
    case 8: return word_hash_(key_word<8>(key));
    case 16: return word_hash_(load_halves(key), load_halves(key + 8));
    default: return hash(key, shape_.key_size, seed_);
  }
}

std::byte* HashTable::key_in(const Chunk& chunk, unsigned number) const noexcept {
  return layout_.pooled ? key_as<true>(chunk, number) : key_as<false>(chunk, number);
}

// ---- finding

Recipe::Chunks HashTable::chunks() const noexcept {
  if (layout_.pooled || (shape_.key_size != 4 && shape_.key_size != 8 && shape_.key_size != 16)) return {};
  return {.base = reinterpret_cast<std::uint64_t>(chunks_),
          .count = layout_.chunks,
          .bytes = static_cast<std::uint32_t>(layout_.chunk_bytes),
          .slot_bytes = static_cast<std::uint32_t>(layout_.slot_bytes),
          .key_size = shape_.key_size,
          .hash = word_hash_,
          .given_back = shape_.sparse};
}

unsigned HashTable::search(const Chunk& chunk, std::uint8_t tag, const std::byte* key) const noexcept {
  for (auto slots = control(chunk).matches(tag); slots != 0; slots = Control::rest(slots)) {
    const unsigned slot = Control::first(slots);
    std::byte* const there = key_in(chunk, slot);
    if (there != nullptr && equal(there, key, shape_.key_size)) return slot;
  }
  return kSlots;
}

unsigned HashTable::search(const Chunk& chunk, std::uint32_t element) const noexcept {
  for (auto slots = control(chunk).used(); slots != 0; slots = Control::rest(slots))
    if (get(link(chunk, Control::first(slots))) == element) return Control::first(slots);
  return kSlots;
}

// Where what `search` (chunk -> slot) looks for is, on the way from its home. What is found may have gone again, unless
// its chunk is locked or its generation still the same; nothing is found only if there was a moment when it was not
// there. Never waits.
template <class Search>
HashTable::Place HashTable::look(ChunkNumber home, Search search) const noexcept {
  ChunkNumber number = home;
  unsigned tries = 0;
  for (std::uint32_t passed = 0; passed < layout_.chunks;) {
    Chunk& at = chunk(number);
    const Place place{.chunk = number, .generation = get(at.generation), .slot = search(at)};
    if (place) return place;
    const unsigned further = control(at).passed();
    if (get(at.generation) != place.generation) {
      if (++tries == kMostRetries) return {.unsure = true};
      continue;
    }
    if (further == 0) break;
    ++passed;
    number = after(number);
  }
  return {};
}

// Whether a key that is not in its home, which is held, is nowhere.
bool HashTable::is_not_behind(ChunkNumber home, std::uint64_t hash, const std::byte* key) const noexcept {
  const Place place = look(home, by_key(hash, key));
  return !place && !place.unsure;
}

// Calls `use` with the place of what is looked for until it stood still meanwhile. False when that never came to pass.
template <class Search, class Use>
bool HashTable::with_stable(ChunkNumber home, Search search, Use use) const noexcept {
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    const Place place = look(home, search);
    if (place.unsure) continue;
    use(place);
    if (!place || get(chunk(place.chunk).generation) == place.generation) return true;
    if (tries % 16 == 15) ::sched_yield();
  }
  return false;
}

std::byte* HashTable::find(const std::byte* key) const noexcept {
  const std::uint64_t hash = hash_of(key);
  std::byte* value = nullptr;
  const bool stable = with_stable(home_of(hash), by_key(hash, key), [&](const Place& place) {
    std::byte* const found = place ? key_in(chunk(place.chunk), place.slot) : nullptr;
    value = found != nullptr ? found + layout_.value_at : nullptr;
  });
  return stable ? value : nullptr;
}

void HashTable::touch(std::byte* value) const noexcept {
  if (shape_.lru) ElementPool::touch(value - layout_.value_at);
}

std::byte* HashTable::find_again(const std::byte* key) const noexcept {
  std::byte* const value = find(key);
  if (value != nullptr) touch(value);
  return value;
}

int HashTable::read(const std::byte* key, std::byte* to, std::size_t size) noexcept {
  const std::uint64_t hash = hash_of(key);
  bool found = false;
  const bool stable = with_stable(home_of(hash), by_key(hash, key), [&](const Place& place) {
    std::byte* const at = place ? key_in(chunk(place.chunk), place.slot) : nullptr;
    found = at != nullptr;
    if (found) copy_out(to, at + layout_.value_at, size);
  });
  if (!stable) return -EBUSY;
  return found ? 0 : -ENOENT;
}

// ---- adding and replacing

int HashTable::put(const std::byte* key, std::uint64_t flags, Replace replace, Writer& writer, unsigned cpu) noexcept {
  if (flags > spec::kExist) return -EINVAL;
  const std::uint64_t hash = hash_of(key);
  const Wanted wanted{hash, home_of(hash), key};
  const bool may_add = replace != Replace::InPlace || flags != spec::kExist;
  if (const int result = put_alone(wanted, flags, replace, writer, cpu); !is_undecided(result)) return result;
  bool reclaimed = false;
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    if (may_add) take_in_advance(cpu, By::Lock);
    const int result = put_once(wanted, flags, replace, writer, cpu, By::Lock);
    if (result == -EAGAIN)
      ::sched_yield();
    else if ((result == -E2BIG || result == -ENOMEM) && counts_may_be_wrong(result))
      recount();
    else if (result == -ENOMEM && !std::exchange(reclaimed, true))
      pool_.for_each_taken([&](std::uint32_t element) { reclaim(element); });
    else if (result == -E2BIG && shape_.lru)
      make_room(cpu);
    else
      return result;
  }
  return shape_.lru ? -ENOMEM : -EBUSY;
}

// For the owner of the bias, if nothing gets into his way.
int HashTable::put_alone(const Wanted& wanted, std::uint64_t flags, Replace replace, Writer& writer,
                         unsigned cpu) noexcept {
  const Alone alone(*this);
  if (!alone) return -EBUSY;
  if (replace != Replace::InPlace || flags != spec::kExist) take_in_advance(cpu, By::Bias);
  return put_once(wanted, flags, replace, writer, cpu, By::Bias);
}

// Whether a map that is said to be full, or out of elements, may owe that to the dead. LRU maps are full most of the
// time: they make room, and go by what was found already.
bool HashTable::counts_may_be_wrong(int error) noexcept {
  if (get(state_->dirty) != 0) return true;
  return !(shape_.lru && error == -E2BIG) && seek_the_dead();
}

int HashTable::put_once(const Wanted& wanted, std::uint64_t flags, Replace replace, Writer& writer, unsigned cpu,
                        By by) noexcept {
  Hold hold(*this, wanted.home, by);
  if (!hold) return -EBUSY;
  const Place place = look(wanted.home, by_key(wanted.hash, wanted.key));
  if (place.unsure) return -EAGAIN;
  if (!place) return flags == spec::kExist ? -ENOENT : add(hold, wanted, writer, cpu, by);
  if (place.chunk == wanted.home) return change(place.chunk, place.slot, wanted, flags, replace, writer);
  hold.release();
  const Hold there(*this, place.chunk, by);
  if (!there) return -EBUSY;
  const unsigned slot = search(chunk(place.chunk), Control::tag_of(wanted.hash), wanted.key);
  return slot == kSlots ? -EAGAIN : change(place.chunk, slot, wanted, flags, replace, writer);
}

// What is in a slot of a locked chunk.
int HashTable::change(ChunkNumber number, unsigned slot, const Wanted& wanted, std::uint64_t flags, Replace replace,
                      Writer& writer) noexcept {
  if (flags == spec::kNoExist) return -EEXIST;
  Chunk& at = chunk(number);
  if (replace == Replace::InPlace) {
    if (std::byte* const key = key_in(at, slot); key != nullptr) {
      writer.overwrite(key + layout_.value_at);
      touch(key + layout_.value_at);
    }
    return 0;
  }
  if (layout_.pooled) return change_element(number, slot, wanted.key, writer);
  return change_slot(at, slot, Control::tag_of(wanted.hash),
                     [&](std::byte* to) noexcept { fill(to, wanted.key, writer); });
}

int HashTable::change_element(ChunkNumber number, unsigned slot, const std::byte* key, Writer& writer) noexcept {
  Chunk& at = chunk(number);
  const std::uint32_t old = get(link(at, slot));
  const std::uint32_t fresh = make_element(pool_.valid(old) ? pool_.part(old) : 0, number, key, writer);
  if (fresh == 0) return -ENOMEM;
  if (shape_.lru) pool_.touch(fresh);
  if (pool_.valid(old)) pool_.end_use(old);
  set(link(at, slot), fresh);
  outdate(at);
  if (pool_.valid(old)) pool_.give_back(old);
  return 0;
}

// The key last.
void HashTable::fill(std::byte* key_at, const std::byte* key, Writer& writer) const noexcept {
  writer.fill(key_at + layout_.value_at);
  copy_in(key_at, key, shape_.key_size);
}

// A new element in the pool for a chunk that is held, used from now on, the one that is hinted at if it is free; 0 if
// there is none.
std::uint32_t HashTable::make_element(unsigned part, ChunkNumber number, const std::byte* key, Writer& writer,
                                      std::uint32_t hint, By by) noexcept {
  const bool claimed = by == By::Bias ? pool_.claim_alone(hint, number) : pool_.claim(hint, number);
  std::uint32_t element = claimed ? hint : pool_.take(part, number);
  for (unsigned tries = 0; element == 0 && tries < kMostAllocations; ++tries) {  // another's replacement has it
    ::sched_yield();
    element = pool_.take(part, number);
  }
  if (element == 0) return 0;
  fill(pool_.key(element), key, writer);
  pool_.start_use(element);
  return element;
}

// A key whose home is held, and which is not there.
int HashTable::add(Hold& hold, const Wanted& wanted, Writer& writer, unsigned cpu, By by) noexcept {
  const std::optional<Room> room = shape_.lru ? reserve(cpu) : reserve();
  if (!room) return -E2BIG;
  const Addition addition{wanted, *room, cpu, writer, by};
  ChunkNumber reached = wanted.home;
  const int error = has_room(chunk(wanted.home)) ? add_here(wanted.home, addition) : add_behind(addition, reached);
  if (error == 0) return 0;
  give_room(*room, cpu);
  hold.release();
  forget_passing(wanted.home, reached, by);
  if (error == -EAGAIN && by == By::Lock) const Hold wait_for(*this, reached);
  return error;
}

// In the first chunk behind a full home that has room. -EAGAIN where a chunk is locked: `reached`.
int HashTable::add_behind(const Addition& addition, ChunkNumber& reached) noexcept {
  pass(chunk(addition.wanted.home));
  for (reached = after(reached); reached != addition.wanted.home; reached = after(reached)) {
    const Hold hold = Hold::if_free(*this, reached, addition.by);
    if (!hold) return -EAGAIN;
    if (has_room(chunk(reached))) return add_here(reached, addition);
    pass(chunk(reached));
  }
  return -ENOMEM;  // never in a region that nobody scribbled on
}

int HashTable::add_here(ChunkNumber number, const Addition& addition) noexcept {
  const std::uint8_t tag = Control::tag_of(addition.wanted.hash);
  const Room& room = addition.room;
  if (!layout_.pooled)
    return add_to_slot(number, tag, 0, room.generation,
                       [&](std::byte* to) noexcept { fill(to, addition.wanted.key, addition.writer); });
  const unsigned part = part_of(addition.cpu);
  const std::uint32_t element =
      make_element(part, number, addition.wanted.key, addition.writer, room.element, addition.by);
  if (element == 0) return -ENOMEM;
  return add_to_slot(number, tag, part, room.generation,
                     [&](std::byte* to) noexcept { set(*reinterpret_cast<std::uint32_t*>(to), element); });
}

// ---- removing

// An element that passed the chunks from `home` up to `end` is not there any more.
void HashTable::forget_passing(ChunkNumber home, ChunkNumber end, By by) noexcept {
  for (ChunkNumber number = home; number != end; number = after(number)) {
    Chunk& at = chunk(number);
    if (const Hold hold(*this, number, by); hold) commit(at, control(at).with_one_back());
  }
}

// Removes what `search` finds, after `before`, which may refuse. -EAGAIN: it was on its way.
template <class Search, class Before>
int HashTable::remove_once(ChunkNumber home, Search search, Before before, By by) noexcept {
  const auto remove_at = [&](ChunkNumber number, unsigned slot) {
    const int error = before(key_in(chunk(number), slot));
    if (error == 0) drop(number, slot);
    return error;
  };
  Hold hold(*this, home, by);
  if (!hold) return -EBUSY;
  const Place place = look(home, search);
  if (!place && !place.unsure) return -ENOENT;
  if (place && place.chunk == home) return remove_at(home, place.slot);
  hold.release();
  if (place.unsure) return -EAGAIN;
  Hold there(*this, place.chunk, by);
  if (!there) return -EBUSY;
  const unsigned slot = search(chunk(place.chunk));
  if (slot == kSlots) return -EAGAIN;
  const int error = remove_at(place.chunk, slot);
  there.release();
  if (error == 0) forget_passing(home, place.chunk, by);
  return error;
}

int HashTable::remove(const std::byte* key, std::byte* to, std::size_t size, const ValueLock& value_lock) noexcept {
  const std::uint64_t hash = hash_of(key);
  const auto before = [&](std::byte* there) {
    if (to == nullptr || there == nullptr) return 0;
    if (value_lock) return value_lock.read_locked(to, there + layout_.value_at, size);
    copy_out(to, there + layout_.value_at, size);
    return 0;
  };
  for (unsigned tries = 0; tries < kMostRetries; ++tries) {
    const int error = remove_once(home_of(hash), by_key(hash, key), before, By::Lock);
    if (error == 0) shrink();
    if (error != -EAGAIN) return error;
    ::sched_yield();
  }
  return -EBUSY;
}

// For the owner of the bias.
int HashTable::remove_alone(std::uint64_t hash, const std::byte* key) noexcept {
  return remove_once(home_of(hash), by_key(hash, key), [](std::byte*) { return 0; }, By::Bias);
}

// After its last owner died: readers may still believe what that one had begun to change, counts may be too high, and a
// pooled element that was to be replaced may be marked as out of use.
void HashTable::repair(Chunk& at) noexcept {
  outdate(at);
  set(state_->dirty, 1U);
  if (!layout_.pooled) return;
  for (auto slots = control(at).used(); slots != 0; slots = Control::rest(slots))
    if (const std::uint32_t element = get(link(at, Control::first(slots)));
        pool_.valid(element) && pool_.is_made(element))
      pool_.start_use(element);
}

// Takes back an element whose maker did not live to link it, or whose remover did not live to give it back. Who does
// either holds its chunk all the while: what is not linked while others hold the chunk belongs to nobody.
void HashTable::reclaim(std::uint32_t element) noexcept {
  const ChunkNumber number = pool_.chunk(element);
  if (number >= layout_.chunks) return;
  const Hold hold(*this, number);
  if (!hold || pool_.chunk(element) != number || pool_.is_free(element)) return;
  if (search(chunk(number), element) == kSlots) pool_.give_back(element);
}

// ---- counting (what each change does: hash_table.h)

// Of what the CPU took in advance.
std::optional<HashTable::Room> HashTable::reserve(unsigned cpu) noexcept {
  const std::uint32_t generation = this->generation();
  if (const auto link = local_free(cpu).take(generation)) return Room{.generation = generation, .element = *link};
  if (reserve(part_of(cpu), generation, 1) == 0) return {};
  return Room{.generation = generation, .element = 0};
}

// Room that was not needed, or is not any more.
void HashTable::give_room(const Room& room, unsigned cpu) noexcept {
  if (shape_.lru) {
    if (local_free(cpu).give(room.generation, room.element)) return;
    pool_.relist(room.element);
  }
  add_to_count(part_of(cpu), room.generation, -1);
}

// Makes the other count, chunk by chunk, and then the one in use.
void HashTable::recount() noexcept {
  const Guard guard(state_->recount_lock);
  if (!guard || get(state_->dirty) == 0) return;
  set(state_->dirty, 0U);
  const std::uint32_t generation = this->generation();
  const auto set_phase = [&](std::uint32_t current, std::uint32_t done) {
    set(state_->phase, std::uint64_t{current} << 32 | done);
  };
  set_phase(generation, 0);
  for (unsigned part = 0; part < parts(); ++part) set(count(part, generation + 1), 0U);
  for (ChunkNumber number = 0; number < layout_.chunks; ++number) {
    const Hold hold(*this, number);
    if (!hold) return set(state_->dirty, 1U);
    count_again(number, generation + 1);
    set_phase(generation, number + 1);
  }
  set_phase(generation + 1, layout_.chunks);
}

// What is in a locked chunk.
void HashTable::count_again(ChunkNumber number, std::uint32_t generation) noexcept {
  const Chunk& at = chunk(number);
  if (parts() == 1) {
    std::atomic_ref(count(0, generation)).fetch_add(control(at).population());
    return;
  }
  for (auto slots = control(at).used(); slots != 0; slots = Control::rest(slots))
    if (const std::uint32_t element = get(link(at, Control::first(slots))); pool_.valid(element))
      std::atomic_ref(count(pool_.part(element), generation)).fetch_add(1);
}

// Whether somebody died and nobody has come by his lock since. Large maps are looked through once a second.
bool HashTable::seek_the_dead() noexcept {
  if (layout_.chunks > kFewChunks) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    const auto second = static_cast<std::uint32_t>(now.tv_sec);
    if (std::atomic_ref(state_->looked_at).exchange(second) == second) return false;
  }
  if (const std::uint32_t alone = habits_->bias.whoever_is_inside(); alone != 0 && !owner_exists(alone)) end_bias();
  for (ChunkNumber number = 0; number < layout_.chunks; ++number)
    if (const std::uint32_t owner = get(chunk(number).lock); owner != 0 && !owner_exists(owner))
      const Hold inherit(*this, number);
  return get(state_->dirty) != 0;
}

// ---- one thread alone

// For who took a chunk's lock where another goes by it: whether that has ended.
bool HashTable::end_bias() noexcept {
  std::uint32_t dead = 0;
  if (wait_for_owner(habits_->bias, this_owner(), dead) == Locked::No) return false;
  if (dead != 0) {
    repair(chunk(std::min(get(habits_->changed_alone), layout_.chunks - 1)));
    habits_->bias.put_out(dead);
  }
  return true;
}

// For who holds the lock of this chunk, as others do not: whether he is to go by it from now on.
void HashTable::consider_bias(ChunkNumber number) noexcept {
  constexpr unsigned kLooks = 16;  // one of so many locks, about: threads would meet at the bias else
  [[gnu::tls_model("initial-exec")]] static constinit thread_local unsigned locks = 0;
  if (++locks % (kLooks + 1) == 0 && may_be_alone() && habits_->bias.is_due(this_owner(), kLooks)) grant_bias(number);
}

// To who holds the lock of this chunk. None of the others may be in somebody's hands: from now on who takes one sees
// the bias, and who had one before would count at the same time.
void HashTable::grant_bias(ChunkNumber number) noexcept {
  Bias& bias = habits_->bias;
  if (!bias.grant(this_owner())) return;
  for (ChunkNumber other = 0; other < layout_.chunks; ++other)
    if (other != number && get(chunk(other).lock) != 0) return bias.give_up();
}

// ---- in order

// The key of the first element in this chunk or a later one.
bool HashTable::first_from(std::uint32_t number, std::byte* next) noexcept {
  for (; number < layout_.chunks; ++number)
    for (unsigned tries = 0; tries < kMostRetries; ++tries) {
      Chunk& at = chunk(number);
      const std::uint32_t generation = get(at.generation);
      const Control::Slots used = control(at).used();
      if (used == 0) break;
      std::byte* const key = key_in(at, Control::first(used));
      if (key == nullptr) break;
      copy_out(next, key, shape_.key_size);
      if (get(at.generation) == generation) return true;
    }
  return false;
}

int HashTable::next_key(const std::byte* key, std::byte* next) noexcept {
  if (key == nullptr) return first_from(0, next) ? 0 : -ENOENT;
  const std::uint64_t hash = hash_of(key);
  std::uint32_t from = 0;
  bool copied = false;
  with_stable(home_of(hash), by_key(hash, key), [&](const Place& place) {
    copied = false;
    from = place ? place.chunk + 1 : 0;
    const Control::Slots later = place ? Control::behind(control(chunk(place.chunk)).used(), place.slot) : 0;
    std::byte* const after = later != 0 ? key_in(chunk(place.chunk), Control::first(later)) : nullptr;
    copied = after != nullptr;
    if (copied) copy_out(next, after, shape_.key_size);
  });
  return copied || first_from(from, next) ? 0 : -ENOENT;
}

std::byte* HashTable::value_around(const std::byte* address) const noexcept {
  std::byte* key = nullptr;
  if (layout_.pooled) {
    const auto element = pool_.around(address);
    if (element) key = pool_.key(*element);
  } else {
    const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(chunks_);
    const std::size_t number = offset / layout_.chunk_bytes;
    const std::size_t in_chunk = offset % layout_.chunk_bytes;
    const std::size_t in_slots = in_chunk - sizeof(Chunk);
    if (number < layout_.chunks && in_chunk >= sizeof(Chunk) && in_slots / layout_.slot_bytes < kSlots)
      key = slot(chunk(static_cast<ChunkNumber>(number)), static_cast<unsigned>(in_slots / layout_.slot_bytes));
  }
  if (key == nullptr) return nullptr;
  std::byte* const value = key + layout_.value_at;
  return address >= value && address < value + shape_.value_bytes ? value : nullptr;
}

}  // namespace skep::maps
