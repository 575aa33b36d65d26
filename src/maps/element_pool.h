// Numbered elements in shared memory, and which of them are free: what hash tables with large elements, or with marks
// of their use, keep beside their chunks.
//
//   element    {where, mark} key value, each part rounded up to 8 bytes
//
// Where and mark are one word, and who changes it from free to made has the element: nobody who dies can leave doubt
// about it. `where` is the chunk it is for, and the next free element of a free one. The list of free elements only
// says where to look first; when it has none, all elements are looked at. Elements never used come from a counter, so
// that an unused part of the region stays untouched. Taking and giving back is lock-free.
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
  // In the region's header.
  struct State {
    std::uint64_t free;   // a tag against ABA << 32 | link: an element's number + 1, 0 for none
    std::uint32_t fresh;  // elements ever used
    std::uint32_t hand;
  };
  struct Shape {
    std::size_t element_bytes;  // with the header
    std::uint32_t capacity;
  };
  static constexpr std::size_t kHeaderBytes = 8;

  ElementPool() = default;
  ElementPool(std::byte* elements, const Shape& shape, State& state) noexcept
      : elements_(elements), shape_(shape), state_(&state) {}

  bool valid(std::uint32_t link) const noexcept { return link - 1 < shape_.capacity; }
  std::byte* key(std::uint32_t link) const noexcept { return at(link) + kHeaderBytes; }
  std::uint32_t chunk(std::uint32_t link) const noexcept { return static_cast<std::uint32_t>(get(word(link))); }

  // A free element, now made for a chunk: a link, or 0 when there are none.
  std::uint32_t take(std::uint32_t chunk) noexcept;
  void give_back(std::uint32_t link) noexcept;

  // Of one that is made: for another chunk.
  void make_for(std::uint32_t link, std::uint32_t chunk) noexcept { set(word(link), word_of(kMade, chunk)); }

  // Made, and used from when it is linked until it is about to be unlinked.
  void start_use(std::uint32_t link) noexcept { set(mark(link), std::uint32_t{kIdle}); }
  void end_use(std::uint32_t link) noexcept { set(mark(link), std::uint32_t{kMade}); }
  bool in_use(std::uint32_t link) const noexcept { return is_used(get(mark(link))); }
  bool is_made(std::uint32_t link) const noexcept { return get(mark(link)) == kMade; }
  void touch(std::uint32_t link) noexcept { touch_mark(mark(link)); }
  // By the key's address.
  static void touch(std::byte* key) noexcept { touch_mark(reinterpret_cast<std::uint32_t*>(key)[-1]); }

  // Moves the hand to an element that was not used since it last came by: its link. `evict` tries to remove it and says
  // whether it did. False when nothing could be removed.
  template <class Evict>
  bool sweep(Evict evict) noexcept;
  template <class Visit>
  void for_each_made(Visit visit) const noexcept {
    for (std::uint32_t link = 1; link <= used(); ++link)
      if (is_made(link)) visit(link);
  }

  // The link of the element that the address lies in, if it was ever used.
  std::optional<std::uint32_t> around(const std::byte* address) const noexcept;

 private:
  enum Mark : std::uint32_t { kNever, kIdle, kTouched, kMade, kFree };
  static constexpr std::uint64_t kMostPassedOver = 4096;  // used elements: in a large map that is in use throughout
  static constexpr unsigned kMostTries = 64;              // of elements that the list has and others took

  static bool is_used(std::uint32_t mark) noexcept { return mark == kIdle || mark == kTouched; }
  static constexpr std::uint64_t word_of(Mark mark, std::uint32_t where) noexcept {
    return std::uint64_t{mark} << 32 | where;
  }
  std::uint32_t used() const noexcept { return state_ == nullptr ? 0 : std::min(get(state_->fresh), shape_.capacity); }
  std::byte* at(std::uint32_t link) const noexcept { return elements_ + (link - 1) * shape_.element_bytes; }
  std::uint64_t& word(std::uint32_t link) const noexcept { return *reinterpret_cast<std::uint64_t*>(at(link)); }
  std::uint32_t& mark(std::uint32_t link) const noexcept { return reinterpret_cast<std::uint32_t*>(at(link))[1]; }
  // Not of an element that has become another meanwhile.
  static void touch_mark(std::uint32_t& mark) noexcept {
    std::uint32_t idle = kIdle;
    if (get(mark) == kIdle) std::atomic_ref(mark).compare_exchange_strong(idle, kTouched);
  }
  std::uint32_t listed() noexcept;
  std::uint32_t fresh() noexcept;
  bool claim(std::uint32_t link, std::uint32_t chunk) noexcept;

  std::byte* elements_ = nullptr;
  Shape shape_{};
  State* state_ = nullptr;
};

template <class Evict>
bool ElementPool::sweep(Evict evict) noexcept {
  const std::uint32_t all = used();
  for (std::uint64_t steps = 0; steps < 3 * std::uint64_t{all}; ++steps) {
    const std::uint32_t link = std::atomic_ref(state_->hand).fetch_add(1) % all + 1;
    const std::atomic_ref<std::uint32_t> mark(this->mark(link));
    std::uint32_t seen = mark.load(std::memory_order_acquire);
    if (!is_used(seen)) continue;
    if (seen == kTouched && steps < kMostPassedOver && mark.compare_exchange_strong(seen, kIdle)) continue;
    if (evict(link)) return true;
  }
  return false;
}

}  // namespace skep::maps
