// What a CPU has of an LRU map's free elements: places in the map's count, which it took in advance, each with the
// number of an element that is probably free. The kernel keeps lists for that; here it is a row of numbers below one
// word.
//
//   word    generation << 32 | tag against ABA << 8 | how many there are
//   lock    of who gets more
//
// A place belongs to the generation of the count that it was taken from. When the elements are counted anew because
// somebody died, all places of the generation before are void: what the dead had taken is free again. The numbers are
// hints: who finds his element taken looks for another. Taking and giving is lock-free; threads that are on the same
// CPU, one preempted in the midst of it, lose a hint at most. Tested by: maps/lru_test.cc, maps/death_test.cc.
#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include "maps/words.h"

namespace skep::maps {

class LocalFree {
 public:
  static constexpr std::uint32_t kMost = 128;
  // Of one CPU, in the region.
  static constexpr std::size_t bytes(std::uint32_t most) noexcept { return round_up(kHeader + most * 4, 64); }

  LocalFree(std::byte* at, std::uint32_t most) noexcept : at_(at), most_(most) {}

  std::uint32_t& lock() const noexcept { return *reinterpret_cast<std::uint32_t*>(at_ + kLockAt); }
  std::uint32_t count(std::uint32_t generation) const noexcept { return count_of(get(word()), generation); }

  // A place, and the number that came with it.
  std::optional<std::uint32_t> take(std::uint32_t generation) noexcept {
    std::uint64_t now = get(word());
    for (std::uint32_t count = count_of(now, generation); count != 0; count = count_of(now, generation)) {
      const std::uint32_t link = get(number(count - 1));
      if (replace(now, generation, count - 1)) return link;
    }
    return {};
  }
  // False when there is no room, or the place is void.
  bool give(std::uint32_t generation, std::uint32_t link) noexcept {
    return give(generation, std::span(&link, 1)) == 1;
  }
  // As many of the first ones as there is room for; the first is taken first. How many that were.
  std::size_t give(std::uint32_t generation, std::span<const std::uint32_t> links) noexcept {
    for (std::uint64_t now = get(word()); generation_of(now) == generation;) {
      const std::uint32_t count = count_of(now, generation);
      const std::size_t fit = std::min<std::size_t>(links.size(), most_ - count);
      for (std::size_t i = 0; i < fit; ++i) set(number(count + static_cast<std::uint32_t>(i)), links[fit - 1 - i]);
      if (replace(now, generation, count + static_cast<std::uint32_t>(fit))) return fit;
    }
    return 0;
  }
  // Makes it of this generation, empty, and calls `lost` with the numbers of void places.
  template <class Lost>
  void renew(std::uint32_t generation, Lost lost) noexcept {
    std::uint64_t now = get(word());
    if (generation_of(now) == generation) return;
    const std::uint32_t count = count_of(now, generation_of(now));
    if (!replace(now, generation, 0)) return;
    for (std::uint32_t i = 0; i < count; ++i) lost(get(number(i)));
  }

 private:
  static constexpr std::size_t kLockAt = 8, kHeader = 16;

  static std::uint32_t generation_of(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
  std::uint32_t count_of(std::uint64_t word, std::uint32_t generation) const noexcept {
    return generation_of(word) == generation ? std::min(static_cast<std::uint32_t>(word & 0xff), most_) : 0;
  }
  std::uint64_t& word() const noexcept { return *reinterpret_cast<std::uint64_t*>(at_); }
  std::uint32_t& number(std::uint32_t i) const noexcept { return reinterpret_cast<std::uint32_t*>(at_ + kHeader)[i]; }
  bool replace(std::uint64_t& now, std::uint32_t generation, std::uint32_t count) noexcept {
    const std::uint64_t tag = ((now >> 8) + 1) & 0xffffff;
    return std::atomic_ref(word()).compare_exchange_strong(now, std::uint64_t{generation} << 32 | tag << 8 | count,
                                                           std::memory_order_acq_rel, std::memory_order_acquire);
  }

  std::byte* at_;
  std::uint32_t most_;
};

}  // namespace skep::maps
