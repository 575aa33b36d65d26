// The program side of prefix matching, its tables, and threads. Random operations: maps/model_test.cc.
#include "maps/lpm_trie.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "maps/domain.h"

namespace skep::maps {
namespace {

struct Key {
  std::uint32_t bits;
  std::uint32_t address;
};

Key key(std::uint32_t bits, std::uint32_t address) { return {bits, to_be(address)}; }
const std::byte* bytes(const Key& of) { return reinterpret_cast<const std::byte*>(&of); }
const std::byte* bytes(const std::uint64_t& of) { return reinterpret_cast<const std::byte*>(&of); }

class TrieTest : public testing::Test {
 protected:
  std::unique_ptr<Map> make(std::uint32_t entries) {
    auto map = Map::create(*domain_,
                           {.type = spec::MapType::LpmTrie,
                            .key_size = sizeof(Key),
                            .value_size = 8,
                            .max_entries = entries,
                            .flags = spec::kNoPrealloc},
                           spec::MapId{1});
    EXPECT_TRUE(map) << map.error().message;
    return *std::move(map);
  }
  std::unique_ptr<Domain> domain_ = *Domain::create();
};

TEST_F(TrieTest, AProgramGetsTheLongestMatch) {
  const auto map = make(10);
  ASSERT_EQ(map->update(bytes(key(8, 0x0a000000)), bytes(std::uint64_t{8}), 0, 0), 0);
  ASSERT_EQ(map->update(bytes(key(16, 0x0a010000)), bytes(std::uint64_t{16}), 0, 0), 0);
  std::byte* value = map->lookup(bytes(key(32, 0x0a01ffff)), 0);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(load<std::uint64_t>(value), 16U);
  EXPECT_EQ(map->value_at(value + 7)->data(), value);
  EXPECT_FALSE(map->value_at(value + 8));
  EXPECT_EQ(load<std::uint64_t>(map->lookup(bytes(key(32, 0x0a02ffff)), 0)), 8U);
  EXPECT_EQ(map->lookup(bytes(key(32, 0x0b000000)), 0), nullptr);
  EXPECT_EQ(map->lookup(bytes(key(33, 0x0a01ffff)), 0), nullptr);
}

TEST_F(TrieTest, GrowsWithUseAndReusesItsNodes) {
  const auto map = make(1U << 20);
  EXPECT_LE(map->memory_bytes(), 64U << 10);
  for (std::uint32_t round = 0; round < 20; ++round) {
    for (std::uint32_t i = 0; i < 1000; ++i)
      ASSERT_EQ(map->update(bytes(key(32, (round << 16) + i * 37)), bytes(std::uint64_t{i}), 0, 0), 0);
    for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(map->erase(bytes(key(32, (round << 16) + i * 37))), 0);
  }
  EXPECT_LE(map->memory_bytes(), 32U * 2 * 1000 + (64U << 10));
}

// Prefixes of all lengths of one address, in maps with each number of tables: taken away from the longest on, the next
// is found, by lookup() and by what engines call.
TEST_F(TrieTest, EachLengthHangsInATableOrAnother) {
  constexpr std::uint32_t kAddress = 0xc0a8'5a01;
  for (const std::uint32_t entries : {33U, 52U, 820U, 13108U, 209716U}) {
    const auto map = make(entries);
    const Recipe found = *recipe(*map);
    const auto find = [&](std::uint32_t bits, std::uint32_t address) {
      const std::byte* const value = map->lookup(bytes(key(bits, address)), 0);
      EXPECT_EQ(found.find(found.table, 0, bytes(key(bits, address))), value);
      return value == nullptr ? 99 : load<std::uint64_t>(value);
    };
    for (std::uint32_t bits = 0; bits <= 32; ++bits)  // what follows the prefix does not matter
      ASSERT_EQ(map->update(bytes(key(bits, kAddress ^ (bits == 32 ? 0 : UINT32_MAX >> bits))),
                            bytes(std::uint64_t{bits}), 0, 0),
                0);
    for (std::uint32_t bits = 0; bits <= 32; ++bits) {
      EXPECT_EQ(find(bits, kAddress), bits) << entries;
      if (bits == 0) continue;
      EXPECT_EQ(find(32, kAddress ^ 1U << (32 - bits)), bits - 1) << entries;
    }
    for (std::uint32_t bits = 33; bits-- > 0;) {
      EXPECT_EQ(find(32, kAddress), bits) << entries;
      EXPECT_EQ(map->erase(bytes(key(bits, kAddress))), 0);
    }
    EXPECT_EQ(find(32, kAddress), 99U);
  }
}

// The kernel's node of 4 bytes of data and a value of 8 has 64 bytes, and all prefixes of up to 13 bits need no other
// nodes.
TEST_F(TrieTest, TablesAndNodesTakeLessThanTheKernels) {
  constexpr std::uint32_t kBits = 13;
  constexpr std::uint32_t kPrefixes = (2U << kBits) - 1;
  const auto map = make(kPrefixes);
  for (std::uint32_t bits = 0; bits <= kBits; ++bits)
    for (std::uint32_t i = 0; i < 1U << bits; ++i)
      ASSERT_EQ(map->update(bytes(key(bits, bits == 0 ? 0 : i << (32 - bits))), bytes(std::uint64_t{i}), 0, 0), 0);
  Key last{};
  std::uint32_t count = 0;
  for (const std::byte* at = nullptr;; at = bytes(last), ++count) {
    Key next{};
    if (map->next_key(at, reinterpret_cast<std::byte*>(&next)) != 0) break;
    last = next;
  }
  EXPECT_EQ(count, kPrefixes);
  EXPECT_EQ(last.bits, 0U);
  EXPECT_LE(map->memory_bytes(), 64 * std::size_t{kPrefixes});
}

// A default route and a few others stay; their lookups always find the right one while more specific ones come and go.
TEST_F(TrieTest, ReadersFindWhatStaysWhileOthersWrite) {
  const auto map = make(2000);
  for (std::uint32_t net = 0; net < 8; ++net)
    ASSERT_EQ(map->update(bytes(key(8, net << 24)), bytes(std::uint64_t{net}), 0, 0), 0);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; !stop; ++i) {
        const std::uint32_t net = i % 8;
        map->update(bytes(key(9 + i % 20, net << 24 | 0x00800000 | (i * 2654435761U >> 10) | t)),
                    bytes(std::uint64_t{net + 1000}), 0, 0);
        map->erase(bytes(key(9 + (i * 7) % 20, net << 24 | 0x00800000 | ((i - 100) * 2654435761U >> 10) | t)));
        map->update(bytes(key(8, net << 24)), bytes(std::uint64_t{net}), 0, 0);
      }
    });
  for (std::uint32_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 30000; ++i) {
        std::uint64_t value = 99;
        const std::uint32_t net = (i + t) % 8;
        const int error =
            map->copy_value(bytes(key(32, net << 24 | 0x00000101)), reinterpret_cast<std::byte*>(&value), 0);
        wrong += error != 0 || value != net;
        const std::byte* found = map->lookup(bytes(key(32, net << 24 | 0x00c00000 | i)), 0);
        wrong += found == nullptr;
      }
    });
  threads[2].join();
  threads[3].join();
  stop = true;
  threads[0].join();
  threads[1].join();
  EXPECT_EQ(wrong, 0);
}

// A shorter prefix, in another table, is only ever there while a longer one is: nobody finds it. Who looks for the
// longer one too early must not come by when the shorter one is there.
TEST_F(TrieTest, ReadersSeeTheTablesAtOneMoment) {
  const auto map = make(1000);
  const Key shorter = key(8, 0x0a000000);
  const Key longer = key(24, 0x0a010200);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) {
      map->update(bytes(longer), bytes(std::uint64_t{24}), 0, 0);
      map->update(bytes(shorter), bytes(std::uint64_t{8}), 0, 0);
      map->erase(bytes(shorter));
      map->erase(bytes(longer));
    }
  });
  int wrong = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    std::uint64_t value = 24;
    const int error = map->copy_value(bytes(key(32, 0x0a010203)), reinterpret_cast<std::byte*>(&value), 0);
    wrong += error == 0 ? value != 24 : error != -ENOENT;  // what a lookup that failed left there means nothing
  }
  stop = true;
  writer.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace skep::maps
