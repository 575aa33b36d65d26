// Numbered elements in shared memory, and which of them are free: what hash tables with large elements, or with marks
// of their use, keep beside their chunks.
//
//   element    {chunk or next free, mark} key value, each part rounded up to 8 bytes
//
// The free ones are a stack of links (an element's number + 1, 0 ends it) with a tag against ABA; elements never used
// come from a counter, so that an unused part of the region stays untouched. Taking and giving back is lock-free.
//
// A mark is 0 (not in use), 1, or 2 (used since the hand of the clock last passed). The hand goes through the elements
// in order of their number: second chance in order of insertion.
//
// Hostile regions: links are compared with the capacity of this handle. Tested by: maps/hash_map_test.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "maps/words.h"

namespace skep::maps {

class ElementPool {
 public:
  // In the region's header.
  struct State {
    std::uint64_t free;   // tag << 32 | link
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
  std::byte* at(std::uint32_t link) const noexcept { return elements_ + (link - 1) * shape_.element_bytes; }
  std::byte* key(std::uint32_t link) const noexcept { return at(link) + kHeaderBytes; }
  std::uint32_t chunk(std::uint32_t link) const noexcept { return get(word(link, 0)); }

  // A link, or 0 when there are none left.
  std::uint32_t take() noexcept;
  void set_chunk(std::uint32_t link, std::uint32_t number) noexcept { set(word(link, 0), number); }
  void give_back(std::uint32_t link) noexcept;

  void start_use(std::uint32_t link) noexcept { set(word(link, 1), kIdle); }
  void touch(std::uint32_t link) noexcept { touch_mark(word(link, 1)); }
  // By the key's address.
  static void touch(std::byte* key) noexcept { touch_mark(reinterpret_cast<std::uint32_t*>(key)[-1]); }
  bool in_use(std::uint32_t link) const noexcept { return get(word(link, 1)) != kUnused; }
  void end_use(std::uint32_t link) noexcept { set(word(link, 1), kUnused); }

  // Moves the hand to an element that was not used since it last came by: its link. `evict` tries to remove it and says
  // whether it did. False when nothing could be removed.
  template <class Evict>
  bool sweep(Evict evict) noexcept;

  template <class Visit>
  void for_each_used(Visit visit) const noexcept {
    const std::uint32_t used = state_ == nullptr ? 0 : std::min(get(state_->fresh), shape_.capacity);
    for (std::uint32_t link = 1; link <= used; ++link)
      if (in_use(link)) visit(link);
  }

  // The link of the element that the address lies in, if it was ever used.
  std::optional<std::uint32_t> around(const std::byte* address) const noexcept;

 private:
  static constexpr std::uint32_t kUnused = 0;
  static constexpr std::uint32_t kIdle = 1;
  static constexpr std::uint32_t kTouched = 2;
  static constexpr std::uint64_t kMostPassedOver = 4096;  // used elements: in a large map that is in use throughout

  std::uint32_t& word(std::uint32_t link, unsigned which) const noexcept {
    return reinterpret_cast<std::uint32_t*>(at(link))[which];
  }
  static void touch_mark(std::uint32_t& mark) noexcept {
    if (get(mark) == kIdle) set(mark, kTouched);
  }

  std::byte* elements_ = nullptr;
  Shape shape_{};
  State* state_ = nullptr;
};

template <class Evict>
bool ElementPool::sweep(Evict evict) noexcept {
  const std::uint32_t used = std::min(get(state_->fresh), shape_.capacity);
  for (std::uint64_t steps = 0; steps < 3 * std::uint64_t{used}; ++steps) {
    const std::uint32_t link = std::atomic_ref(state_->hand).fetch_add(1) % used + 1;
    const std::atomic_ref<std::uint32_t> mark(word(link, 1));
    std::uint32_t seen = mark.load(std::memory_order_acquire);
    if (seen == kUnused) continue;
    if (seen == kTouched && steps < kMostPassedOver && mark.compare_exchange_strong(seen, kIdle)) continue;
    if (evict(link)) return true;
  }
  return false;
}

}  // namespace skep::maps
