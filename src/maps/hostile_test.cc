// Regions that someone scribbled on: every kind must open or refuse, operate or fail, and never reach outside.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "base/thread.h"
#include "maps/domain.h"
#include "maps/kinds.h"
#include "maps/map.h"
#include "maps/ringbuf.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

const MapSpec kSpecs[] = {
    {.type = Hash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = Hash, .key_size = 5, .value_size = 9, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = PercpuHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = LruHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = LruPercpuHash, .key_size = 8, .value_size = 8, .max_entries = 300},
    {.type = Array, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = PercpuArray, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = ProgArray, .key_size = 4, .value_size = 4, .max_entries = 300},
    {.type = HashOfMaps, .key_size = 8, .value_size = 4, .max_entries = 300},
    {.type = LpmTrie, .key_size = 8, .value_size = 8, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = LpmTrie, .key_size = 20, .value_size = 3, .max_entries = 300, .flags = spec::kNoPrealloc},
    {.type = Devmap, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = DevmapHash, .key_size = 4, .value_size = 8, .max_entries = 300},
    {.type = Cpumap, .key_size = 4, .value_size = 8, .max_entries = 2},
    {.type = Queue, .value_size = 8, .max_entries = 300},
    {.type = Stack, .value_size = 8, .max_entries = 300},
    {.type = BloomFilter, .value_size = 8, .max_entries = 300},
    {.type = Ringbuf, .max_entries = 4096},
};

class Attack {
 public:
  Attack(Map& map, std::uint32_t seed) : map_(map), random_(seed) {
    file_ = Fd(::open(("/proc/self/fd/" + std::to_string(map.memfd())).c_str(), O_RDWR | O_CLOEXEC));
    size_ = static_cast<std::size_t>(::lseek(file_.get(), 0, SEEK_END));
    key_.resize(std::max(map.spec().key_size, 8U));
    value_.resize(map.syscall_value_size() + 16);
  }

  void fill() {
    for (std::uint32_t i = 0; i < 100; ++i) operate(i % 2 == 0 ? 0 : random_() % 15);
  }
  // A few words anywhere, links and counts that are nearly right among them, but no ids of living threads: a lock that
  // one seems to hold is waited for, a second, by design.
  void scribble() {
    const std::size_t writes = 1 + random_() % 200;
    for (std::size_t i = 0; i < writes; ++i) {
      const auto at = static_cast<off_t>(random_() % (size_ / 4) * 4);
      const std::uint32_t word = scribbled_word();
      ASSERT_EQ(::pwrite(file_.get(), &word, sizeof word, at), 4);
    }
  }
  void operate(std::size_t what) {
    for (auto& byte : key_) byte = static_cast<std::byte>(random_() % 2);
    if (map_.spec().key_size == 4) store(key_.data(), static_cast<std::uint32_t>(random_() % 302));
    if (map_.spec().type == LpmTrie) store(key_.data(), static_cast<std::uint32_t>(random_() % 130));
    const unsigned cpu = static_cast<unsigned>(random_() % map_.domain().cpus());
    switch (what) {
      case 0:
      case 1: map_.update_all(key_.data(), value_.data(), 0); break;
      case 2: map_.update(key_.data(), value_.data(), 0, cpu); break;
      case 3: touch(map_.lookup(key_.data(), cpu)); break;
      case 4: map_.erase(key_.data()); break;
      case 5: map_.copy_value(key_.data(), value_.data(), 0); break;
      case 6: map_.take(key_.data(), value_.data(), 0); break;
      case 7: walk(); break;
      case 8: map_.set_reference(key_.data(), {1, 2}, 0, nullptr); break;
      case 9: map_.reference(key_.data()); break;
      case 10: map_.push(value_.data(), 2); break;
      case 11: map_.pop(value_.data()); break;
      case 12: map_.peek(value_.data()); break;
      case 13:
        map_.for_each(
            [](void*, std::byte* key, std::byte* value) noexcept -> std::uint64_t {
              touch(key);
              touch(value);
              return 0;
            },
            nullptr, cpu);
        break;
      case 14: ring(); break;
      case 15: batch(); break;
      default: (void)map_.freeze(); break;
    }
  }
  void operate() { operate(random_() % 17); }

 private:
  std::uint32_t scribbled_word() {
    const auto any = static_cast<std::uint32_t>(random_());
    const std::uint32_t word = any % 8 == 0 ? UINT32_MAX - any % 3 : any % 8 == 1 ? any | 1U << 31 : any % 340;
    return thread_exists(word) ? scribbled_word() : word;
  }
  static void touch(std::byte* at) {
    if (at != nullptr) *reinterpret_cast<volatile std::byte*>(at) = *at;
  }
  void walk() {
    std::vector<std::byte> next(key_.size());
    for (int steps = 0; steps < 100 && map_.next_key(steps == 0 ? nullptr : key_.data(), next.data()) == 0; ++steps)
      key_ = next;
  }
  void batch() {
    constexpr std::uint32_t kRoom = 64;
    std::vector<std::byte> keys(kRoom * key_.size());
    std::vector<std::byte> values(kRoom * value_.size());
    Batch part{.cursor = static_cast<std::uint32_t>(random_() % 600),
               .room = kRoom,
               .keys = keys.data(),
               .values = values.data()};
    for (int i = 0; i < 4 && map_.read_batch(part, random_() % 2 == 0 ? Then::Keep : Then::Remove) == 0; ++i)
      part.room = kRoom;
  }
  void ring() {
    if (map_.spec().type != Ringbuf) return;
    auto& ring = static_cast<RingBuf&>(map_);
    if (std::byte* record = ring.reserve(random_() % 200, 0); record != nullptr) {
      touch(record);
      (void)map_.value_at(record);
      ring.submit(record, 0);
    }
    ring.drain(
        [](void*, Bytes record) {
          if (!record.empty()) touch(const_cast<std::byte*>(&record.back()));
        },
        nullptr);
  }

  Map& map_;
  std::mt19937 random_;
  Fd file_;
  std::size_t size_ = 0;
  std::vector<std::byte> key_;
  std::vector<std::byte> value_;
};

std::unique_ptr<Map> make(Domain& domain, const MapSpec& spec) {
  const MapSpec inner{.type = Array, .key_size = 4, .value_size = 4, .max_entries = 1};
  auto map = Map::create(domain, spec, spec::MapId{1}, &inner);
  EXPECT_TRUE(map) << map.error().message;
  return *std::move(map);
}

TEST(Hostile, ScribbledRegionsStayWithinTheirBounds) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    for (std::uint32_t seed = 0; seed < 12; ++seed) {
      const auto map = make(*domain, spec);
      Attack attack(*map, seed);
      attack.fill();
      for (int round = 0; round < 4; ++round) {
        attack.scribble();
        (void)Map::open(*domain, Fd(::dup(map->memfd())), map->spec());
        for (int i = 0; i < 25; ++i) attack.operate();
      }
    }
  }
}

TEST(Hostile, AHeaderOfNoiseIsRefused) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    const auto map = make(*domain, spec);
    const std::vector<std::uint8_t> noise(static_cast<std::size_t>(::lseek(map->memfd(), 0, SEEK_END)), 0xee);
    ASSERT_EQ(::pwrite(map->memfd(), noise.data(), noise.size(), 0), static_cast<ssize_t>(noise.size()));
    const auto again = Map::open(*domain, Fd(::dup(map->memfd())), map->spec());
    ASSERT_FALSE(again) << name(spec.type);
    EXPECT_EQ(again.error().code, EINVAL);
  }
}

// Links that lead in a circle: walks end.
TEST(Hostile, CirclesEnd) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : kSpecs) {
    const auto map = make(*domain, spec);
    Attack attack(*map, 7);
    attack.fill();
    const auto size = static_cast<std::size_t>(::lseek(map->memfd(), 0, SEEK_END));
    const std::uint32_t header_words = 32;  // leave the header's own words, not the state
    for (std::size_t at = (size > 3 * 4096 ? 4096 : 0) + header_words * 4; at < size; at += 4) {
      std::uint32_t word = 0;
      ASSERT_EQ(::pread(map->memfd(), &word, 4, static_cast<off_t>(at)), 4);
      if (word == 0 || word > 320) continue;
      word = 1 + word % 3;
      ASSERT_EQ(::pwrite(map->memfd(), &word, 4, static_cast<off_t>(at)), 4);
    }
    for (std::size_t i = 0; i < 64; ++i) attack.operate(i % 17);
  }
}

}  // namespace
}  // namespace skep::maps
