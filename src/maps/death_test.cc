// Processes die in the middle of operations: at every instruction of one (single steps, then SIGKILL), and at random
// while others work. Who lives on must find each map whole, and waits for nobody.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/sanitized.h"
#include "base/thread.h"
#include "maps/domain.h"
#include "maps/lpm_key.h"
#include "maps/map.h"
#include "maps/ring_map.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;

using Key = std::uint64_t;
// Two words that belong together, so that a torn value shows.
struct Value {
  std::uint64_t word, same;
  bool whole() const noexcept { return word == ~same; }
};
Value value_of(Key key) noexcept { return {key * 3, ~(key * 3)}; }
const std::byte* bytes(const auto& object) noexcept { return reinterpret_cast<const std::byte*>(&object); }
std::byte* bytes(auto& object) noexcept { return reinterpret_cast<std::byte*>(&object); }

struct Subject {
  const char* name;
  MapSpec spec;
  bool evicts = false;    // rather than being full
  bool in_place = false;  // a killed update may leave a mixed value
  bool alone = false;     // who dies had long been the only one to change the map (maps/bias.h)
};

const Subject kSubjects[] = {
    {"hash", {.type = Hash, .key_size = 8, .value_size = 16, .max_entries = 9}},
    {"hash_alone", {.type = Hash, .key_size = 8, .value_size = 16, .max_entries = 9}, false, false, true},
    {"hash_pooled_alone", {.type = Hash, .key_size = 8, .value_size = 200, .max_entries = 11}, false, false, true},
    {"lru_hash_alone", {.type = LruHash, .key_size = 8, .value_size = 16, .max_entries = 11}, true, false, true},
    {"hash_grows", {.type = Hash, .key_size = 8, .value_size = 16, .max_entries = 9, .flags = spec::kNoPrealloc}},
    {"hash_pooled", {.type = Hash, .key_size = 8, .value_size = 200, .max_entries = 11}},
    {"percpu_hash", {.type = PercpuHash, .key_size = 8, .value_size = 16, .max_entries = 9}, false, true},
    {"lru_hash", {.type = LruHash, .key_size = 8, .value_size = 16, .max_entries = 11}, true},
    {"lru_lists_per_cpu",
     {.type = LruHash, .key_size = 8, .value_size = 16, .max_entries = 24, .flags = spec::kNoCommonLru},
     true},
    {"lpm_trie", {.type = LpmTrie, .key_size = 8, .value_size = 16, .max_entries = 9, .flags = spec::kNoPrealloc}},
};

class Death : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    domain_ = *Domain::create();
    auto map = Map::create(*domain_, GetParam().spec, spec::MapId{1});
    ASSERT_TRUE(map) << map.error().message;
    map_ = *std::move(map);
    value_.resize(map_->syscall_value_size());
  }

  // An LPM key that differs from all others in its first bits; as it is elsewhere.
  Key stored(Key key) const { return GetParam().spec.type == LpmTrie ? 32 | key << 32 : key; }
  void fill_value(Key key) {
    std::ranges::fill(value_, std::byte{});
    store(value_.data(), value_of(key));
  }
  int put(Key key) {
    const Key at = stored(key);
    fill_value(key);
    return map_->update_all(bytes(at), value_.data(), 0);
  }
  int remove(Key key) {
    const Key at = stored(key);
    return map_->erase(bytes(at));
  }
  std::optional<Value> get(Key key) {
    const Key at = stored(key);
    if (map_->copy_value(bytes(at), value_.data(), 0) != 0) return {};
    return load<Value>(value_.data());
  }
  std::set<Key> keys() {
    std::set<Key> all;
    Key key = 0;
    Key next = 0;
    for (int error = map_->next_key(nullptr, bytes(next)); error == 0;
         error = map_->next_key(bytes(key), bytes(next))) {
      key = next;
      if (!all.insert(key).second) ADD_FAILURE() << "twice in order: " << key;
      if (all.size() > 1000) break;
    }
    return all;
  }

  // That are there when an LRU map was filled: half of what is a CPU's share may be free, or 4 of that with lists per
  // CPU, of which there may be elements in one alone.
  std::uint32_t fewest() const {
    const std::uint32_t most = map_->spec().max_entries;
    return (GetParam().spec.flags & spec::kNoCommonLru) != 0 ? most / domain_->cpus() - 4 : most / 2;
  }

  // What must hold whoever died. Leaves the map with as many elements as before.
  void expect_whole() {
    const std::set<Key> all = keys();
    ASSERT_LE(all.size(), map_->spec().max_entries);
    for (const Key key : all) {
      ASSERT_EQ(map_->copy_value(bytes(key), value_.data(), 0), 0);
      ASSERT_TRUE(GetParam().in_place || load<Value>(value_.data()).whole()) << key;
    }
    std::set<Key> added;
    for (Key key = 1000; key < 1100; ++key) {
      const int error = put(key);
      if (GetParam().evicts) {
        ASSERT_EQ(error, 0);
        continue;
      }
      if (error == 0) added.insert(key);
      if (error == 0) continue;
      ASSERT_EQ(error, GetParam().spec.type == LpmTrie ? -ENOSPC : -E2BIG) << added.size();
      break;
    }
    if (GetParam().evicts) {
      ASSERT_GE(keys().size(), fewest()) << "elements were lost";
      for (Key key = 1000; key < 1100; ++key) remove(key);
      return;
    }
    ASSERT_EQ(all.size() + added.size(), GetParam().spec.max_entries) << "it is full when so many are in it";
    for (const Key key : added) ASSERT_EQ(remove(key), 0);
    ASSERT_EQ(keys(), all);
  }

  void be_alone() {
    constexpr Key kOwn = 999;
    const std::vector<std::byte> value(value_.size());
    for (int i = 0; i < 2000; ++i) {
      map_->update_all(bytes(kOwn), value.data(), 0);
      map_->erase(bytes(kOwn));
    }
  }

  // Runs `operation` in a child that is killed after `steps` instructions; false when it had ended before.
  bool die_after(unsigned steps, const std::function<void()>& operation) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (GetParam().alone) be_alone();
      (void)this_owner();  // which takes longer than all that comes now, the first time
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      operation();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    for (unsigned i = 0; i < steps && !WIFEXITED(status); ++i) {
      ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
      ::waitpid(child, &status, 0);
    }
    if (WIFEXITED(status)) return false;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return true;
  }

  std::unique_ptr<Domain> domain_;
  std::unique_ptr<Map> map_;
  std::vector<std::byte> value_;
};

// What the environment asks for.
unsigned number_in(const char* variable, unsigned otherwise) {
  const char* const asked = ::getenv(variable);
  return asked != nullptr ? static_cast<unsigned>(std::max(1, std::atoi(asked))) : otherwise;
}

bool may_trace() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A child dies at each instruction of an update of a new key, of an old one and of a delete, in a map that is empty,
// half full and nearly full. What it was about to do was done or was not. One in SKEP_DEATH_STRIDE instructions; 1
// takes minutes.
TEST_P(Death, AtEveryInstruction) {
  if (SKEP_SANITIZED != 0) GTEST_SKIP() << "sanitizers make too many instructions of it";
  if (!may_trace()) GTEST_SKIP() << "no process may be traced here";
  constexpr unsigned kMost = 20000;
  constexpr unsigned kBefore = 20;  // instructions of the way out of raise()
  const unsigned stride = number_in("SKEP_DEATH_STRIDE", 61);
  unsigned first = 0;  // of the instructions, each time others
  const std::uint32_t most = GetParam().spec.max_entries;
  for (const std::uint32_t filled : {0U, most / 2, most - 1}) {
    for (Key key = 0; key < filled; ++key) ASSERT_EQ(put(key), 0);
    for (const char what : {'a', 'u', 'd'}) {
      const Key key = what == 'a' ? 500 : filled / 2;
      for (unsigned steps = kBefore + first; steps < kMost; steps += stride) {
        ASSERT_TRUE(what != 'd' || put(key) == 0);
        const Key at = stored(key);
        fill_value(key);
        const bool died = die_after(
            steps, [&] { what == 'd' ? map_->erase(bytes(at)) : map_->update_all(bytes(at), value_.data(), 0); });
        const auto found = get(key);
        ASSERT_TRUE(!found || GetParam().in_place || found->whole()) << what << steps;
        ASSERT_TRUE(what != 'u' || filled == 0 || found || GetParam().evicts) << steps;
        if (what == 'a') {
          const int error = remove(key);
          ASSERT_EQ(error, found ? 0 : -ENOENT) << steps;
        }
        ASSERT_NO_FATAL_FAILURE(expect_whole()) << what << ' ' << steps << " of " << filled;
        if (!died) break;
      }
      first = (first + 7) % stride;
    }
    for (const Key key : keys()) ASSERT_EQ(map_->erase(bytes(key)), 0);
  }
}

// Children work until they are killed, while this process works as well.
TEST_P(Death, WhileOthersWork) {
  const unsigned kills = number_in("SKEP_KILLS", 100);
  std::mt19937 random(1);
  const auto work = [&](std::mt19937& numbers) {
    const Key key = numbers() % 30;
    switch (numbers() % 4) {
      case 0:
      case 1: return put(key);
      case 2: return remove(key);
      default: {
        const auto found = get(key);
        EXPECT_TRUE(!found || GetParam().in_place || found->whole());
        return 0;
      }
    }
  };
  for (unsigned round = 0; round < kills; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::mt19937 numbers(round);
      for (;;) work(numbers);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 3000);
    while (std::chrono::steady_clock::now() < until)
      ASSERT_NE(work(random), -EBUSY) << "a living child holds no lock long";
    ::kill(child, SIGKILL);
    for (int i = 0; i < 20; ++i) ASSERT_NE(work(random), -EBUSY) << "nobody waits for the dead";
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_NO_FATAL_FAILURE(expect_whole()) << "kill " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Maps, Death, testing::ValuesIn(kSubjects),
                         [](const auto& subject) { return std::string(subject.param.name); });

// ---- Queues and ring buffers

struct Shared {
  std::unique_ptr<Domain> domain = *Domain::create();
  std::unique_ptr<Map> map;
  explicit Shared(const MapSpec& spec) : map(*Map::create(*domain, spec, spec::MapId{1})) {}
};

template <class Work>
void kill_while(unsigned kills, Work work, const std::function<void(unsigned)>& check) {
  std::mt19937 random(2);
  for (unsigned round = 0; round < kills; ++round) {
    const pid_t child = ::fork();
    if (child == 0)
      for (std::uint64_t i = 0;; ++i) work(i);
    ::usleep(static_cast<useconds_t>(random() % 2000));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    check(round);
  }
}

TEST(DeathOfPushers, LeavesQueuesAndStacksWithWholeValues) {
  for (const auto type : {Queue, Stack}) {
    Shared shared({.type = type, .value_size = 16, .max_entries = 64});
    Map& map = *shared.map;
    const auto work = [&](std::uint64_t i) {
      Value value = value_of(i);
      if (i % 3 != 2)
        map.push(bytes(value), spec::kExist);
      else
        map.pop(bytes(value));
    };
    kill_while(40, work, [&](unsigned round) {
      Value value{};
      unsigned count = 0;
      int error = 0;
      while ((error = map.pop(bytes(value))) == 0 && ++count < 1000) ASSERT_TRUE(value.whole()) << round;
      ASSERT_EQ(error, -ENOENT);
      ASSERT_LE(count, 64U);
      for (unsigned i = 0; i < 64; ++i) ASSERT_EQ(map.push(bytes(value), 0), 0) << i;
      ASSERT_EQ(map.push(bytes(value), 0), -E2BIG);
      for (unsigned i = 0; i < 64; ++i) ASSERT_EQ(map.pop(bytes(value)), 0) << i;
    });
  }
}

TEST(DeathOfProducers, LeavesRingBuffersThatGoOn) {
  Shared shared({.type = Ringbuf, .max_entries = 4096});
  auto& ring = static_cast<RingMap&>(*shared.map);
  const auto work = [&](std::uint64_t i) {
    std::byte* const record = ring.reserve(sizeof(Value), 0);
    if (record == nullptr) return;
    store(record, value_of(i));
    ring.submit(record, 0);
  };
  struct Seen {
    unsigned whole = 0, torn = 0;
  };
  kill_while(60, work, [&](unsigned round) {
    Seen seen;
    const auto drain = [&] {
      ring.drain(
          [](void* context, Bytes record) {
            auto& self = *static_cast<Seen*>(context);
            load<Value>(record.data()).whole() ? ++self.whole : ++self.torn;
          },
          &seen);
    };
    drain();
    ASSERT_EQ(seen.torn, 0U) << round;
    seen = {};
    for (std::uint64_t i = 0; i < 400; ++i) {  // more than there is room for at once
      work(i);
      drain();
    }
    ASSERT_EQ(seen.whole, 400U) << "a dead producer's record is passed over, round " << round;
  });
}

}  // namespace
}  // namespace skep::maps
