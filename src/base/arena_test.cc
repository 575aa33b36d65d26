#include "base/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

namespace skep {
namespace {

TEST(Arena, PiecesAreAlignedAndApart) {
  Arena arena;
  std::vector<std::span<unsigned char>> pieces;
  std::size_t size = 1;
  for (std::size_t i = 0; i < 400; ++i, size = size * 31 % 9973 + 1) {
    const std::size_t align = std::size_t{1} << (i % 7);
    auto* at = static_cast<unsigned char*>(arena.allocate(size, align));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % align, 0U);
    std::memset(at, static_cast<int>(i), size);
    pieces.emplace_back(at, size);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (const unsigned char byte : pieces[i]) ASSERT_EQ(byte, static_cast<unsigned char>(i)) << i;
}

TEST(Arena, APieceMayBeLargerThanAChunk) {
  Arena arena;
  for (const std::size_t size : {std::size_t{70000}, std::size_t{300000}, Arena::kHugePage, 3 * Arena::kHugePage + 5})
    std::memset(arena.allocate(size), 0x5a, size);
}

TEST(Arena, TooMuchIsRefused) {
  Arena arena;
  for (const std::size_t bytes : {SIZE_MAX / 2 + 1, SIZE_MAX})
    EXPECT_THROW((void)arena.allocate(bytes, 64), std::bad_alloc);
  EXPECT_NE(arena.allocate(8), nullptr);
}

}  // namespace
}  // namespace skep
