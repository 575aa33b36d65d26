// Numbers out of a value: bits at any place, up to 128 of them. Inside this folder only.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace skep::btf {

__extension__ using Wide = unsigned __int128;

// `bits` (1 to 128) at `bit_offset`, in little-endian order of bits; nullopt when they are not all inside.
inline std::optional<Wide> read_bits(Bytes value, std::uint64_t bit_offset, std::uint32_t bits) noexcept {
  const std::uint64_t first = bit_offset / 8, end = (bit_offset + bits + 7) / 8;
  if (bits == 0 || bits > 128 || end > value.size()) return std::nullopt;
  Wide low = 0;
  std::uint8_t above = 0;  // a 17th byte, when 128 bits do not begin at a byte
  for (std::uint64_t i = first; i < end; ++i) {
    const auto byte = std::to_integer<std::uint8_t>(value[i]);
    if (i - first < 16)
      low |= Wide{byte} << (8 * (i - first));
    else
      above = byte;
  }
  const unsigned shift = bit_offset % 8;
  Wide result = low >> shift;
  if (shift != 0) result |= Wide{above} << (128 - shift);
  return bits == 128 ? result : result & ((Wide{1} << bits) - 1);
}

// The number that `bits` bits mean when the uppermost is a sign; for at most 64 of them.
constexpr std::int64_t sign_extend(std::uint64_t value, std::uint32_t bits) noexcept {
  const unsigned unused = 64 - bits;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

}  // namespace skep::btf
