// QUEUE and STACK: values without keys, first in first out or last in first out, under one lock.
// BloomFilter: values that may have been pushed. Tested by: maps/queue_map_test.cc.
#pragma once

#include "maps/bias.h"
#include "maps/map.h"

namespace skep::maps {

class QueueMap final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit QueueMap(Parts&& parts);

  // BPF_EXIST makes room in a full map by dropping the oldest value.
  int push(const std::byte* value, std::uint64_t flags) noexcept override;
  int pop(std::byte* value) noexcept override;
  int peek(std::byte* value) noexcept override;
  // System calls have no key.
  int copy_value(const std::byte*, std::byte* value, std::uint64_t flags) noexcept override;
  int update_all(const std::byte*, const std::byte* value, std::uint64_t flags) noexcept override;
  int take(const std::byte*, std::byte* value, std::uint64_t flags) noexcept override;

 private:
  struct State {             // in Header::kind
    std::uint64_t contents;  // the slot of the oldest value << 32 | how many: one store commits
  };
  struct Contents {
    std::uint32_t first, count;
  };
  Contents contents() const noexcept;
  void commit(Contents contents) noexcept;
  Contents without_oldest(Contents contents) const noexcept;
  std::uint32_t round(std::uint64_t number) const noexcept;

  BiasedLock& lock() const noexcept { return *reinterpret_cast<BiasedLock*>(region_.header().habits); }
  State& state() const noexcept { return *reinterpret_cast<State*>(region_.header().kind); }
  std::byte* slot(Contents contents, std::uint32_t number) const noexcept;  // counted from the oldest
  int read(std::byte* value, Then then) noexcept;

  bool last_first_;
  std::size_t stride_;
};

class BloomFilter final : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit BloomFilter(Parts&& parts);

  int push(const std::byte* value, std::uint64_t flags) noexcept override;
  int pop(std::byte*) noexcept override { return -EOPNOTSUPP; }
  int peek(std::byte* value) noexcept override;  // 0: may be in it; -ENOENT: is not
  int erase(const std::byte*) noexcept override { return -EOPNOTSUPP; }
  int next_key(const std::byte*, std::byte*) noexcept override { return -EOPNOTSUPP; }
  // `value` is what is asked about.
  int copy_value(const std::byte*, std::byte* value, std::uint64_t flags) noexcept override;
  int update_all(const std::byte*, const std::byte* value, std::uint64_t flags) noexcept override;

 private:
  std::uint64_t& word_of(std::uint64_t bit) const noexcept;
  template <class Use>
  bool each_bit(const std::byte* value, Use use) const noexcept;

  unsigned functions_;
  std::uint64_t mask_;  // number of bits - 1
  std::uint64_t seed_;
};

}  // namespace skep::maps
