#include "packet/csum.h"

namespace skep::packet {

namespace {

std::uint64_t add_carry(std::uint64_t sum, std::uint64_t word) noexcept {
  sum += word;
  return sum + (sum < word ? 1 : 0);
}

std::uint16_t add16(std::uint16_t a, std::uint16_t b) noexcept {
  const auto sum = static_cast<std::uint16_t>(a + b);
  return static_cast<std::uint16_t>(sum + (sum < b ? 1 : 0));
}

}  // namespace

std::uint32_t csum_partial(Bytes bytes, std::uint32_t seed) noexcept {
  constexpr std::size_t kLong = 64;  // from here on, words of 8 bytes are worth their carries
  std::uint64_t sum = seed;
  std::size_t at = 0;
  if (bytes.size() >= kLong)
    for (; at + 8 <= bytes.size(); at += 8) sum = add_carry(sum, load<std::uint64_t>(bytes.data() + at));
  for (; at + 4 <= bytes.size(); at += 4) sum = add_carry(sum, load<std::uint32_t>(bytes.data() + at));
  std::uint32_t rest = 0;
  for (unsigned shift = 0; at < bytes.size(); ++at, shift += 8)
    rest |= std::to_integer<std::uint32_t>(bytes[at]) << shift;
  sum = add_carry(sum, rest);
  return csum_add(static_cast<std::uint32_t>(sum), static_cast<std::uint32_t>(sum >> 32));
}

std::uint16_t csum_changed16(std::uint16_t check, std::uint16_t from, std::uint16_t to) noexcept {
  const auto inverse = static_cast<std::uint16_t>(~check);
  const std::uint16_t without = add16(inverse, static_cast<std::uint16_t>(~from));
  return static_cast<std::uint16_t>(~add16(without, to));
}

std::uint16_t csum_diff(Bytes from, Bytes to, std::uint32_t seed) noexcept {
  std::uint32_t sum = seed;
  if (!from.empty() && !to.empty())
    sum = csum_sub(csum_partial(to, seed), csum_partial(from, 0));
  else if (!to.empty())
    sum = csum_partial(to, seed);
  else if (!from.empty())
    sum = ~csum_partial(from, ~seed);
  return csum_reduce(sum);
}

}  // namespace skep::packet
