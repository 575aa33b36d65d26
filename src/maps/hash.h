// The hash of keys: folded 64x64-bit multiplications over 16 bytes at a time (the construction of wyhash and its
// relatives). Seeded, so that who does not know the seed cannot choose colliding keys. About 1 ns for an 8-byte key.
#pragma once

#include <cstdint>

#include "maps/words.h"

namespace skep::maps {

inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash(const std::byte* key, std::size_t size, std::uint64_t seed) noexcept {
  constexpr std::uint64_t kOdd0 = 0x9e3779b97f4a7c15;  // the golden ratio and pi: odd and with evenly spread bits
  constexpr std::uint64_t kOdd1 = 0x243f6a8885a308d3;
  const std::size_t whole = size;
  std::uint64_t state = seed ^ kOdd0;
  for (; size > 16; size -= 16, key += 16) state = fold(load_halves(key) ^ kOdd1, load_halves(key + 8) ^ state);
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  if (size >= 8) {
    first = load_halves(key);
    last = load_halves(key + size - 8);
  } else if (size >= 4) {
    first = load<std::uint32_t>(key);
    last = load<std::uint32_t>(key + size - 4);
  } else {
    for (std::size_t i = 0; i < size; ++i) first = first << 8 | std::to_integer<std::uint64_t>(key[i]);
  }
  return fold(fold(first ^ kOdd1, last ^ state), whole ^ kOdd0);
}

// The hash of keys of one word, and of two: a single multiplication, so that compiled code can have it in place. The
// multiplier is as secret as the seed.
struct WordHash {
  explicit WordHash(std::uint64_t from = 0) noexcept
      : seed(from), multiplier(fold(from ^ 0x9e3779b97f4a7c15, 0x243f6a8885a308d3) | 1) {}
  std::uint64_t operator()(std::uint64_t word) const noexcept { return fold(word ^ seed, multiplier); }
  std::uint64_t operator()(std::uint64_t first, std::uint64_t second) const noexcept {
    return fold(first ^ seed, second ^ multiplier);
  }

  std::uint64_t seed;
  std::uint64_t multiplier;
};

}  // namespace skep::maps
