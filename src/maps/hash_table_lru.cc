// The part of a hash table that makes it an LRU map: free elements that a CPU takes in advance, and what is evicted for
// that. The order of victims is the pool's (maps/element_pool.h).
#include <sched.h>

#include <array>

#include "base/cpus.h"
#include "maps/hash_table.h"

namespace skep::maps {

// Whose free element it becomes when it is removed: with lists per CPU always the same's.
unsigned HashTable::home_cpu(std::uint32_t element) const noexcept {
  if (shape_.lru == Shape::PerCpu) return pool_.part(element);
  return current_cpu(shape_.cpus);
}

// For a CPU of an LRU map that has none: free elements, up to its target, and what is evicted in place of those that
// there are too few of. With lists per CPU only where there is none at all.
void HashTable::take_in_advance(unsigned cpu, By by) noexcept {
  if (!shape_.lru || local_free(cpu).count(generation()) != 0) return;
  LocalFree local = local_free(cpu);
  const Locked locked = lock_unless_owned(local.lock());
  if (locked == Locked::No) return;
  if (locked == Locked::Inherited) set(state_->dirty, 1U);  // he may have taken what he could not note
  if (get(state_->dirty) != 0 && by == By::Lock) recount();
  const std::uint32_t generation = this->generation();
  local.renew(generation, [&](std::uint32_t link) { pool_.relist(link); });
  const unsigned part = part_of(cpu);
  std::array<std::uint32_t, LocalFree::kMost> links;
  const auto rest = [&](std::uint32_t from) { return std::span(links).subspan(from, layout_.local_target - from); };
  std::uint32_t taken = take_free(part, generation, rest(0));
  if (taken == 0 || shape_.lru == Shape::Common) taken += evict(part, generation, rest(taken), by);
  const std::size_t given = local.give(generation, std::span(links).first(taken));
  for (std::uint32_t i = static_cast<std::uint32_t>(given); i < taken; ++i) {
    pool_.relist(links[i]);
    std::atomic_ref(count(part, generation)).fetch_sub(1);
  }
  if (taken == 0 && shape_.lru == Shape::Common) take_from_others(cpu, generation);
  unlock(local.lock());
}

std::uint32_t HashTable::take_free(unsigned part, std::uint32_t generation, std::span<std::uint32_t> links) noexcept {
  const std::uint32_t taken = reserve(part, generation, static_cast<std::uint32_t>(links.size()));
  for (std::uint32_t& link : links.first(taken)) link = pool_.next_free(part);
  return taken;
}

// Takes an element that is in use out of its chunk, which `take` locks: with `use`, of the chunk and the slot.
template <class Take, class Use>
bool HashTable::take_out(std::uint32_t element, Take take, Use use, By by) noexcept {
  const ChunkNumber number = pool_.chunk(element);
  if (number >= layout_.chunks) return false;
  Hold hold = take(number);
  if (!hold || pool_.chunk(element) != number || !pool_.in_use(element)) return false;
  const unsigned slot = search(chunk(number), element);
  if (slot == kSlots) return pool_.give_back(element), false;  // its maker died before he could link it
  const ChunkNumber home = home_of(hash_of(pool_.key(element)));
  use(number, slot);
  hold.release();
  forget_passing(home, number, by);
  return true;
}

// What can be had without waiting. The places of the evicted stay counted: they are the taker's.
std::uint32_t HashTable::evict(unsigned part, std::uint32_t generation, std::span<std::uint32_t> links,
                               By by) noexcept {
  std::uint32_t evicted = 0;
  const auto evict_one = [&](std::uint32_t element) {
    const auto free = [&](ChunkNumber number, unsigned slot) {
      unlink(number, slot);
      pool_.set_free(element);
      note_change(number, part, generation, -1);
      links[evicted++] = element;
    };
    return take_out(element, [&](ChunkNumber number) { return Hold::if_free(*this, number, by); }, free, by);
  };
  const auto ahead = [&](std::uint32_t element) {
    if (const ChunkNumber number = pool_.chunk(element); number < layout_.chunks) __builtin_prefetch(&chunk(number), 1);
  };
  pool_.sweep(part, static_cast<unsigned>(links.size()), evict_one, ahead);
  return evicted;
}

// One that another CPU took and has not needed yet.
void HashTable::take_from_others(unsigned cpu, std::uint32_t generation) noexcept {
  for (unsigned i = 1; i < shape_.cpus; ++i) {
    const auto link = local_free((cpu + i) % shape_.cpus).take(generation);
    if (!link) continue;
    give_room({.generation = generation, .element = *link}, cpu);
    return;
  }
}

// While no chunk is locked, and where nothing could be had at once: waits for the chunk of an old element. Where there
// is none, the dead may have had all.
void HashTable::make_room(unsigned cpu) noexcept {
  const auto drop_one = [&](std::uint32_t element) {
    return take_out(
        element, [&](ChunkNumber number) { return Hold(*this, number); },
        [&](ChunkNumber number, unsigned slot) { drop(number, slot); });
  };
  if (pool_.sweep(part_of(cpu), 1, drop_one, [](std::uint32_t) {}) == 0 && !seek_the_dead()) ::sched_yield();
}

}  // namespace skep::maps
