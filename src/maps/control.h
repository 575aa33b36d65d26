// The control word of a hash table's chunk: what is in its seven slots, and whether a search may end here.
//
//   bytes 0 to 6   the slots' tags: 0 for an empty slot, else 0x80 and seven bits of the key's hash
//   byte 7         how many elements found no room here and are further on; kMostPassed is "that many or more"
//
// One word, so that one store commits a change, and one subtraction asks all slots. Tested by: maps/control_test.cc.
#pragma once

#include <bit>
#include <cstdint>

namespace skep::maps {

inline constexpr unsigned kSlots = 7;
inline constexpr unsigned kMostPassed = 255;

class Control {
 public:
  // Sets of slots: the top bit of the byte of each.
  using Slots = std::uint64_t;
  static constexpr Slots kAll = 0x0080'8080'8080'8080;
  static constexpr unsigned first(Slots slots) noexcept { return static_cast<unsigned>(std::countr_zero(slots)) / 8; }
  static constexpr Slots rest(Slots slots) noexcept { return slots & (slots - 1); }

  static constexpr Slots behind(Slots slots, unsigned slot) noexcept {
    return slots & ~std::uint64_t{0xff} << 8 * slot;
  }

  static constexpr std::uint64_t kOnes = 0x0001'0101'0101'0101;  // times a tag: that tag in each slot
  static constexpr std::uint8_t kTagBit = 0x80;
  static constexpr unsigned kPassedAt = 56;

  explicit constexpr Control(std::uint64_t bits) noexcept : bits_(bits) {}
  constexpr std::uint64_t bits() const noexcept { return bits_; }

  static constexpr std::uint8_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint8_t>(hash | kTagBit);
  }
  // Slots with this tag; sometimes others in use above the first, never an empty one.
  constexpr Slots matches(std::uint8_t tag) const noexcept {
    const std::uint64_t different = bits_ ^ kOnes * tag;  // an empty slot keeps the tag's top bit
    return (different - kOnes) & ~different & kAll;
  }
  constexpr Slots used() const noexcept { return bits_ & kAll; }
  constexpr Slots empty() const noexcept { return used() ^ kAll; }
  constexpr unsigned population() const noexcept { return static_cast<unsigned>(std::popcount(used())); }
  constexpr unsigned passed() const noexcept { return static_cast<unsigned>(bits_ >> kPassedAt); }
  constexpr bool is_used(unsigned slot) const noexcept { return (bits_ >> 8 * slot & kTagBit) != 0; }
  constexpr std::uint8_t tag(unsigned slot) const noexcept { return static_cast<std::uint8_t>(bits_ >> 8 * slot); }

  constexpr Control with(unsigned slot, std::uint8_t tag) const noexcept {
    return Control(without(slot).bits_ | std::uint64_t{tag} << 8 * slot);
  }
  constexpr Control without(unsigned slot) const noexcept {
    return Control(bits_ & ~(std::uint64_t{0xff} << 8 * slot));
  }
  // One more, or one less, went past. What reached the most is not counted any more.
  constexpr Control with_one_past() const noexcept {
    return passed() == kMostPassed ? *this : Control(bits_ + kPassed);
  }
  constexpr Control with_one_back() const noexcept {
    return passed() == kMostPassed || passed() == 0 ? *this : Control(bits_ - kPassed);
  }

 private:
  static constexpr std::uint64_t kPassed = std::uint64_t{1} << kPassedAt;

  std::uint64_t bits_;
};

}  // namespace skep::maps
