// For tests and fuzzing: operations on a map, all there are, while its region is scribbled on. The numbers that say
// what happens come from outside: a generator, or a fuzzer's input.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/thread.h"
#include "maps/domain.h"
#include "maps/map.h"
#include "maps/recipe.h"
#include "maps/ring_map.h"

namespace skep::maps {

class Attack {
 public:
  Attack(Map& map, std::function<std::uint32_t()> numbers) : map_(map), random_(std::move(numbers)) {
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
      if (::pwrite(file_.get(), &word, sizeof word, at) != sizeof word) std::abort();
    }
  }
  void operate(std::size_t what) {
    for (auto& byte : key_) byte = static_cast<std::byte>(random_() % 2);
    if (map_.spec().key_size == 4) store(key_.data(), random_() % 302);
    if (map_.spec().type == spec::MapType::LpmTrie) store(key_.data(), random_() % 130);
    const unsigned cpu = random_() % map_.domain().cpus();
    switch (what) {
      case 0:
      case 1: map_.update_all(key_.data(), value_.data(), 0); break;
      case 2: map_.update(key_.data(), value_.data(), 0, cpu); break;
      case 3:
        touch(map_.lookup(key_.data(), cpu));
        find(cpu);
        break;
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
    const auto any = random_();
    const std::uint32_t word = any % 8 == 0 ? UINT32_MAX - any % 3 : any % 8 == 1 ? any | 1U << 31 : any % 340;
    return owner_exists(word) ? 0 : word;
  }
  static void touch(std::byte* at) {
    if (at != nullptr) *reinterpret_cast<volatile std::byte*>(at) = *at;
  }
  // As engines do.
  void find(unsigned cpu) {
    const auto found = recipe(map_);
    if (!found || found->find == nullptr) return;
    if (std::byte* const value = found->find(found->table, 0, key_.data()); value != nullptr)
      touch(value + cpu * found->per_cpu);
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
    Batch part{.cursor = random_() % 600, .room = kRoom, .keys = keys.data(), .values = values.data()};
    for (int i = 0; i < 4 && map_.read_batch(part, random_() % 2 == 0 ? Then::Keep : Then::Remove) == 0; ++i)
      part.room = kRoom;
  }
  void ring() {
    if (map_.spec().type != spec::MapType::Ringbuf) return;
    auto& ring = static_cast<RingMap&>(map_);
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
  std::function<std::uint32_t()> random_;
  Fd file_;
  std::size_t size_ = 0;
  std::vector<std::byte> key_;
  std::vector<std::byte> value_;
};

}  // namespace skep::maps
