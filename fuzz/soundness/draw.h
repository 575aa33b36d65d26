// Random numbers that cost a nanosecond and depend on nothing but the seed (SplitMix64, Steele et al., OOPSLA 2014).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skep::soundness {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t operator()() noexcept {
    std::uint64_t x = state_ += 0x9e37'79b9'7f4a'7c15;
    x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ x >> 27) * 0x94d0'49bb'1331'11eb;
    return x ^ x >> 31;
  }
  std::uint64_t below(std::uint64_t limit) noexcept { return (*this)() % limit; }
  // Of a magnitude that is drawn first, as numbers in programs are.
  std::uint64_t number() noexcept {
    const std::uint64_t x = (*this)() >> below(64);
    return below(8) == 0 ? ~x : x;
  }
  // A third of it zeros, a third small bytes, or all of it noise.
  void fill(std::span<std::byte> bytes) noexcept;

 private:
  std::uint64_t state_;
};

}  // namespace skep::soundness
