// A key of a trie as a walk asks for it: how long it is, its first bits, and where a node's prefix leaves it.
//
// Keys are {u32 length in bits, data}, the first bit highest. WordKey holds data of at most 8 bytes in a register and
// is what most lookups are made of; DataKey takes any and leaves them where they are. Nodes' data are shared words
// (maps/words.h), padded to 8 bytes. `known` are bits that are known to be equal: words of them are not looked at.
// Used by: maps/lpm_trie.cc. Tested by: maps/recipe_test.cc, maps/model_test.cc.
#pragma once

#include <bit>

#include "maps/words.h"

namespace skep::maps {

inline constexpr std::uint32_t kPrefixBytes = 4;  // of a key, before its data
inline constexpr std::uint32_t kWordBits = 64;

inline std::uint32_t key_bits(const std::byte* key) noexcept { return load<std::uint32_t>(key); }
// The word of a node's data with bit `at`.
inline std::uint64_t node_word(std::byte* data, std::uint32_t at) noexcept {
  return from_be(word_at<std::uint64_t>(data + at / kWordBits * 8).load(std::memory_order_acquire));
}
inline unsigned bit_of(std::uint64_t word, std::uint32_t at) noexcept {
  return static_cast<unsigned>(word << at % kWordBits >> (kWordBits - 1));
}

template <std::size_t kBytes>  // of the data; 0: as many as the constructor says
class WordKey {
 public:
  WordKey(const std::byte* key, std::size_t bytes) noexcept
      : length_(key_bits(key)), data_(from_be(data_of(key + kPrefixBytes, bytes))) {}

  std::uint32_t length() const noexcept { return length_; }
  std::uint64_t first_word() const noexcept { return data_; }
  unsigned bit(std::uint32_t at) const noexcept { return bit_of(data_, at); }
  bool begins_with(std::byte* data, std::uint32_t bits, std::uint32_t) const noexcept {
    return bits == 0 || (node_word(data, 0) ^ data_) >> (kWordBits - bits) == 0;
  }

 private:
  static std::uint64_t data_of(const std::byte* data, std::size_t bytes) noexcept {
    if constexpr (kBytes == 4) return load_bytes(data);
    if constexpr (kBytes == 8) return load_halves(data);
    return partial_word(data, bytes);
  }

  std::uint32_t length_;
  std::uint64_t data_;
};

class DataKey {
 public:
  DataKey(const std::byte* key, std::size_t bytes) noexcept
      : length_(key_bits(key)), data_(key + kPrefixBytes), bytes_(bytes) {}

  std::uint32_t length() const noexcept { return length_; }
  std::uint64_t first_word() const noexcept { return word(0); }
  unsigned bit(std::uint32_t at) const noexcept { return std::to_integer<unsigned>(data_[at / 8] >> (7 - at % 8)) & 1; }
  bool begins_with(std::byte* data, std::uint32_t bits, std::uint32_t known) const noexcept {
    return common_bits(data, bits, known) == bits;
  }
  // How many of the first `bits` bits are the same in a node's data.
  std::uint32_t common_bits(std::byte* data, std::uint32_t bits, std::uint32_t known) const noexcept {
    for (std::uint32_t at = known / kWordBits * kWordBits; at < bits; at += kWordBits)
      if (const std::uint64_t other = node_word(data, at) ^ word(at); other != 0)
        return std::min(bits, at + static_cast<std::uint32_t>(std::countl_zero(other)));
    return bits;
  }

 private:
  std::uint64_t word(std::uint32_t at) const noexcept {
    const std::size_t rest = bytes_ - at / 8;
    const std::byte* const from = data_ + at / 8;
    return from_be(rest >= 8 ? load<std::uint64_t>(from) : partial_word(from, rest));
  }

  std::uint32_t length_;
  const std::byte* data_;
  std::size_t bytes_;
};

}  // namespace skep::maps
