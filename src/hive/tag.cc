#include "hive/tag.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace skep::hive {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::uint8_t kLdImm64 = 0x18;
constexpr std::uint8_t kMapFd = 1, kMapValue = 2;  // src of an ld_imm64

// One block into the state (FIPS 180-4, section 6.1.2).
void absorb(std::array<std::uint32_t, 5>& state, const std::byte* block) {
  std::array<std::uint32_t, 80> words;
  for (std::size_t i = 0; i < 16; ++i) words[i] = from_be(load<std::uint32_t>(block + 4 * i));
  for (std::size_t i = 16; i < 80; ++i)
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < 80; ++i) {
    std::uint32_t mix = 0;
    std::uint32_t round = 0;
    switch (i / 20) {
      case 0: mix = (b & c) | (~b & d), round = 0x5a827999; break;
      case 1: mix = b ^ c ^ d, round = 0x6ed9eba1; break;
      case 2: mix = (b & c) | (b & d) | (c & d), round = 0x8f1bbcdc; break;
      default: mix = b ^ c ^ d, round = 0xca62c1d6; break;
    }
    const std::uint32_t next = std::rotl(a, 5) + mix + e + round + words[i];
    e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
  }
  const std::array<std::uint32_t, 5> added = {a, b, c, d, e};
  for (std::size_t i = 0; i < 5; ++i) state[i] += added[i];
}

}  // namespace

std::array<std::uint8_t, 20> sha1(Bytes data) {
  std::vector<std::byte> padded(data.begin(), data.end());
  padded.push_back(std::byte{0x80});
  padded.resize(round_up(padded.size() + 8, kBlock));
  store(padded.data() + padded.size() - 8, to_be(std::uint64_t{data.size()} * 8));
  std::array<std::uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (std::size_t at = 0; at < padded.size(); at += kBlock) absorb(state, padded.data() + at);
  std::array<std::uint8_t, 20> digest;
  for (std::size_t i = 0; i < 5; ++i) store(digest.data() + 4 * i, to_be(state[i]));
  return digest;
}

std::array<std::uint8_t, 8> tag_of(std::span<const isa::Insn> insns) {
  std::vector<isa::Insn> copy(insns.begin(), insns.end());
  bool second_slot = false;
  for (isa::Insn& insn : copy) {
    const bool of_map = insn.code == kLdImm64 && (insn.src == kMapFd || insn.src == kMapValue);
    const bool rest = insn.code == 0 && insn.dst == 0 && insn.src == 0 && insn.off == 0;
    const bool clear = second_slot ? rest : of_map;
    second_slot = !second_slot && of_map;
    if (clear) insn.imm = 0;
  }
  const auto digest = sha1(std::as_bytes(std::span(copy)));
  std::array<std::uint8_t, 8> tag;
  std::copy_n(digest.begin(), tag.size(), tag.begin());
  return tag;
}

std::vector<std::array<std::uint8_t, 8>> tags_of(std::span<const isa::Insn> insns,
                                                 std::span<const std::uint32_t> starts) {
  std::vector<std::array<std::uint8_t, 8>> tags;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t end = i + 1 < starts.size() ? starts[i + 1] : insns.size();
    tags.push_back(tag_of(insns.subspan(starts[i], end - starts[i])));
  }
  return tags;
}

}  // namespace skep::hive
