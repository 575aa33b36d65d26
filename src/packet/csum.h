// Internet checksum arithmetic (RFC 1071): sums of 16-bit words in ones' complement, kept as 32-bit partial sums.
//
// Zero has two forms, 0 and all ones. Which of them a sum has is visible to programs, so these keep the rule of
// the kernel's functions: a sum is 0 only when everything added was 0. Pure. Tested by: packet/csum_test.cc.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace skep::packet {

// seed plus all 16-bit words of `bytes` in memory order; an odd last byte counts as if a zero followed.
std::uint32_t csum_partial(Bytes bytes, std::uint32_t seed) noexcept;

constexpr std::uint32_t csum_add(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t sum = a + b;
  return sum + (sum < b ? 1 : 0);
}
constexpr std::uint32_t csum_sub(std::uint32_t a, std::uint32_t b) noexcept { return csum_add(a, ~b); }

// The partial sum as 16 bits, not complemented.
constexpr std::uint16_t csum_reduce(std::uint32_t sum) noexcept {
  const std::uint32_t turned = sum + ((sum >> 16) | (sum << 16));
  return static_cast<std::uint16_t>(turned >> 16);
}
// The checksum as a header holds it.
constexpr std::uint16_t csum_fold(std::uint32_t sum) noexcept { return static_cast<std::uint16_t>(~csum_reduce(sum)); }

// A sum over bytes that start at an odd offset of the packet counts with its bytes swapped.
constexpr std::uint32_t csum_at(std::uint32_t sum, std::uint64_t offset) noexcept {
  return (offset & 1) != 0 ? (sum >> 8) | (sum << 24) : sum;
}

// A header's checksum after its data changed by `difference`, or from one value to another.
constexpr std::uint16_t csum_changed_by(std::uint16_t check, std::uint32_t difference) noexcept {
  return csum_fold(csum_add(difference, ~std::uint32_t{check}));
}
constexpr std::uint16_t csum_changed(std::uint16_t check, std::uint32_t from, std::uint32_t to) noexcept {
  return csum_fold(csum_add(csum_sub(~std::uint32_t{check}, from), to));
}
// The same with 16-bit values, in 16-bit arithmetic.
std::uint16_t csum_changed16(std::uint16_t check, std::uint16_t from, std::uint16_t to) noexcept;

// bpf_csum_diff: seed - from + to as 16 bits.
std::uint16_t csum_diff(Bytes from, Bytes to, std::uint32_t seed) noexcept;

}  // namespace skep::packet
