// Numbered elements in shared memory, and which of them are free: what hash tables with large elements, or with marks
// of their use, keep beside their chunks. A pool has one part, or one for each CPU (an LRU map with lists per CPU).
//
//   element    {where, mark} key value, each part rounded up to 8 bytes
//
// Where and mark are one word, and who changes it from free to made has the element: nobody who dies can leave doubt
// about it. `where` is the chunk it is for, and the next free element of a free one. The list of free elements only
// says where to look first, and some are in no list but with a CPU (maps/local_free.h); when there is none, all
// elements are looked at. Elements never used come from a counter, so that an unused part of the region stays
// untouched. Taking and giving back is lock-free.
//
// The hand of a clock goes through the elements in order of their number and passes over those that were used since it
// last came by: second chance in order of insertion.
//
// Hostile regions: links are compared with the capacity of this handle. Tested by: maps/hash_map_test.cc,
// maps/death_test.cc.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "maps/words.h"

namespace skep::maps {

class ElementPool {
 public:
  // Of a part, in the region.
  struct State {
    std::uint64_t free;   // a tag against ABA << 32 | link: an element's number + 1, 0 for none
    std::uint32_t fresh;  // elements ever used
    std::uint32_t hand;
  };
  struct Shape {
    std::size_t element_bytes;  // with the header
    std::uint32_t capacity;     // of a part
    unsigned parts;
    std::size_t state_bytes;  // from one part's state to the next
  };
  static constexpr std::size_t kHeaderBytes = 8;

  ElementPool() = default;
  ElementPool(std::byte* elements, const Shape& shape, State& first) noexcept
      : elements_(elements), shape_(shape), states_(reinterpret_cast<std::byte*>(&first)) {}

  bool valid(std::uint32_t link) const noexcept { return link - 1 < shape_.capacity * shape_.parts; }
  unsigned part(std::uint32_t link) const noexcept { return shape_.parts == 1 ? 0 : (link - 1) / shape_.capacity; }
  std::byte* key(std::uint32_t link) const noexcept { return at(link) + kHeaderBytes; }
  std::uint32_t chunk(std::uint32_t link) const noexcept { return static_cast<std::uint32_t>(get(word(link))); }

  // A free element, now made for a chunk: a link, or 0 when there are none.
  std::uint32_t take(unsigned part, std::uint32_t chunk) noexcept;
  // This one, if it is free.
  bool claim(std::uint32_t link, std::uint32_t chunk) noexcept;
  // Likewise, while nobody else claims elements.
  bool claim_alone(std::uint32_t link, std::uint32_t chunk) noexcept {
    if (!valid(link) || !is_free(link)) return false;
    set(word(link), word_of(kMade, chunk));
    return true;
  }
  void give_back(std::uint32_t link) noexcept;
  // An element that is probably free, and in no list from now on; 0 where there is none at hand.
  std::uint32_t next_free(unsigned part) noexcept;
  // Of one that is made: free, and in no list.
  void set_free(std::uint32_t link) noexcept { set(word(link), word_of(kFree, 0)); }
  // Puts one that may be free and in no list into the list.
  void relist(std::uint32_t link) noexcept;

  // Made, and used from when it is linked until it is about to be unlinked.
  void start_use(std::uint32_t link) noexcept { set(mark(link), std::uint32_t{kIdle}); }
  void end_use(std::uint32_t link) noexcept { set(mark(link), std::uint32_t{kMade}); }
  bool in_use(std::uint32_t link) const noexcept { return is_used(get(mark(link))); }
  bool is_made(std::uint32_t link) const noexcept { return get(mark(link)) == kMade; }
  bool is_free(std::uint32_t link) const noexcept { return is_free_mark(get(mark(link))); }
  void touch(std::uint32_t link) noexcept { touch_mark(mark(link)); }
  // By the key's address.
  static void touch(std::byte* key) noexcept { touch_mark(reinterpret_cast<std::uint32_t*>(key)[-1]); }

  // Moves the hand to elements that were not used since it last came by. `evict` tries to remove one and says whether
  // it did; `ahead` is told of those whose turn comes soon. How many were removed: up to `wanted`; fewer when the hand
  // came round once, or far, and there were some; none when none could be.
  template <class Evict, class Ahead>
  unsigned sweep(unsigned part, unsigned wanted, Evict evict, Ahead ahead) noexcept;
  template <class Visit>
  void for_each_taken(Visit visit) const noexcept {
    for (unsigned part = 0; part < shape_.parts; ++part)
      for (std::uint32_t link = first(part); link < first(part) + used(part); ++link)
        if (!is_free(link)) visit(link);
  }

  // The link of the element that the address lies in, if it was ever used.
  std::optional<std::uint32_t> around(const std::byte* address) const noexcept;

 private:
  enum Mark : std::uint32_t { kNever, kIdle, kTouched, kMade, kFree };
  static constexpr std::uint64_t kMostPassedOver = 4096;  // used elements: in a large map that is in use throughout
  static constexpr unsigned kMostTries = 64;              // of elements that the list has and others took
  static constexpr std::uint32_t kAhead = 8;              // elements from the hand to the one that `ahead` is told of

  static bool is_free_mark(std::uint32_t mark) noexcept { return mark == kFree || mark == kNever; }
  static bool is_used(std::uint32_t mark) noexcept { return mark == kIdle || mark == kTouched; }
  static constexpr std::uint64_t word_of(Mark mark, std::uint32_t where) noexcept {
    return std::uint64_t{mark} << 32 | where;
  }
  State& state(unsigned part) const noexcept { return *reinterpret_cast<State*>(states_ + part * shape_.state_bytes); }
  std::uint32_t first(unsigned part) const noexcept { return part * shape_.capacity + 1; }
  std::uint32_t used(unsigned part) const noexcept { return std::min(get(state(part).fresh), shape_.capacity); }
  std::byte* at(std::uint32_t link) const noexcept { return elements_ + (link - 1) * shape_.element_bytes; }
  std::uint64_t& word(std::uint32_t link) const noexcept { return *reinterpret_cast<std::uint64_t*>(at(link)); }
  std::uint32_t& mark(std::uint32_t link) const noexcept { return reinterpret_cast<std::uint32_t*>(at(link))[1]; }
  // Not of an element that has become another meanwhile.
  static void touch_mark(std::uint32_t& mark) noexcept {
    std::uint32_t idle = kIdle;
    if (get(mark) == kIdle) std::atomic_ref(mark).compare_exchange_strong(idle, kTouched);
  }
  static std::uint32_t mark_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
  std::uint32_t listed(unsigned part) noexcept;
  std::uint32_t fresh(unsigned part) noexcept;
  void list(std::uint32_t link, std::uint64_t mine, std::uint64_t top) noexcept;

  std::byte* elements_ = nullptr;
  Shape shape_{};
  std::byte* states_ = nullptr;
};

template <class Evict, class Ahead>
unsigned ElementPool::sweep(unsigned part, unsigned wanted, Evict evict, Ahead ahead) noexcept {
  const std::uint32_t all = used(part);
  const std::uint32_t begin = first(part);
  unsigned evicted = 0;
  std::uint64_t most = 3 * std::uint64_t{all};
  const std::atomic_ref<std::uint32_t> hand(state(part).hand);
  std::uint32_t turn = 0, turns_end = 0;  // the hand's, taken several at once
  for (std::uint64_t steps = 0; steps < most && evicted < wanted; ++steps, ++turn) {
    if (turn == turns_end) {
      const std::uint32_t turns = std::min({wanted - evicted, kAhead, all});
      turn = hand.fetch_add(turns, std::memory_order_relaxed) % all;
      turns_end = turn + turns;
    }
    const std::uint32_t place = turn < all ? turn : turn - all;
    const std::uint32_t link = begin + place;
    if (place + kAhead < all) ahead(link + kAhead);
    const std::atomic_ref<std::uint32_t> mark(this->mark(link));
    std::uint32_t seen = mark.load(std::memory_order_acquire);
    if (!is_used(seen)) continue;
    if (seen == kTouched && steps < kMostPassedOver && mark.compare_exchange_strong(seen, kIdle)) continue;
    if (evict(link) && ++evicted == 1) most = std::min(std::max<std::uint64_t>(all, steps), steps + 2 * wanted);
  }
  return evicted;
}

}  // namespace skep::maps
