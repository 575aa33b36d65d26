// Random operations, the same on our map, on a model made of std:: containers and, where it may be asked, on the
// running kernel's map: every result, every value and, where it is defined, the order must be equal.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <random>

#include "base/errno.h"
#include "maps/subjects.h"

namespace skep::maps {
namespace {

using enum spec::MapType;
using spec::MapSpec;
using Blob = std::vector<std::byte>;

Blob blob(const std::byte* from, std::size_t size) { return {from, from + size}; }

// Hashes, and arrays (all keys there from the start, none leaves).
class ModelOfKeys final : public Subject {
 public:
  ModelOfKeys(const MapSpec& spec, std::size_t value_size)
      : spec_(spec), value_size_(value_size), array_(find_kind(spec.type)->family == Family::Array) {
    for (std::uint32_t i = 0; array_ && i < spec.max_entries; ++i)
      elements_[blob(reinterpret_cast<std::byte*>(&i), 4)] = Blob(value_size);
  }
  std::size_t value_size() const override { return value_size_; }
  int lookup(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    if (flags != 0) return -EINVAL;
    const auto found = elements_.find(blob(key, spec_.key_size));
    if (found == elements_.end()) return -ENOENT;
    std::ranges::copy(found->second, value);
    return 0;
  }
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags) override {
    if (flags > 2) return -EINVAL;
    const bool there = elements_.contains(blob(key, spec_.key_size));
    if (!there && array_) return -E2BIG;
    if (there && flags == 1) return -EEXIST;
    if (!there && flags == 2) return -ENOENT;
    if (!there && elements_.size() == spec_.max_entries) return -E2BIG;
    elements_[blob(key, spec_.key_size)] = blob(value, value_size_);
    return 0;
  }
  int erase(const std::byte* key) override {
    if (array_) return -EINVAL;
    return elements_.erase(blob(key, spec_.key_size)) == 1 ? 0 : -ENOENT;
  }
  int take(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    if (array_) return -kNotSupported;
    const int error = lookup(key, value, flags);
    return error != 0 ? error : erase(key);
  }
  int next_key(const std::byte* key, std::byte* next) override {
    auto at = key == nullptr ? elements_.end() : elements_.find(blob(key, spec_.key_size));
    at = at == elements_.end() ? elements_.begin() : std::next(at);
    if (at == elements_.end()) return -ENOENT;
    std::ranges::copy(at->first, next);
    return 0;
  }

 private:
  MapSpec spec_;
  std::size_t value_size_;
  bool array_;
  std::map<Blob, Blob> elements_;
};

// Postorder: where two prefixes differ, 0 before 1; where one contains the other, the longer first.
struct Postorder {
  static unsigned bit(const Blob& key, std::uint32_t at) {
    return std::to_integer<unsigned>(key[4 + at / 8]) >> (7 - at % 8) & 1;
  }
  bool operator()(const Blob& a, const Blob& b) const {
    const auto a_bits = load<std::uint32_t>(a.data());
    const auto b_bits = load<std::uint32_t>(b.data());
    for (std::uint32_t i = 0; i < std::min(a_bits, b_bits); ++i)
      if (bit(a, i) != bit(b, i)) return bit(a, i) < bit(b, i);
    return a_bits > b_bits;
  }
};

class ModelOfPrefixes final : public Subject {
 public:
  explicit ModelOfPrefixes(const MapSpec& spec) : spec_(spec) {}
  std::size_t value_size() const override { return spec_.value_size; }
  int lookup(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    if (flags != 0) return -EINVAL;
    Blob wanted = blob(key, spec_.key_size);
    const auto bits = load<std::uint32_t>(key);
    if (bits > 8 * (spec_.key_size - 4)) return -ENOENT;
    for (std::uint32_t shorter = bits + 1; shorter-- > 0;) {
      store(wanted.data(), shorter);
      const auto found = prefixes_.find(wanted);
      if (found == prefixes_.end()) continue;
      std::ranges::copy(found->second, value);
      return 0;
    }
    return -ENOENT;
  }
  int update(const std::byte* key, const std::byte* value, std::uint64_t flags) override {
    if (flags > 2 || load<std::uint32_t>(key) > 8 * (spec_.key_size - 4)) return -EINVAL;
    const Blob wanted = blob(key, spec_.key_size);
    const bool there = prefixes_.contains(wanted);
    if (there && flags == 1) return -EEXIST;
    if (!there && flags == 2) return -ENOENT;
    if (!there && prefixes_.size() == spec_.max_entries) return -ENOSPC;
    prefixes_.erase(wanted);  // the key's bytes beyond the prefix are the last writer's
    prefixes_[wanted] = blob(value, spec_.value_size);
    return 0;
  }
  int erase(const std::byte* key) override {
    if (load<std::uint32_t>(key) > 8 * (spec_.key_size - 4)) return -EINVAL;
    return prefixes_.erase(blob(key, spec_.key_size)) == 1 ? 0 : -ENOENT;
  }
  int take(const std::byte*, std::byte*, std::uint64_t) override { return -kNotSupported; }
  int next_key(const std::byte* key, std::byte* next) override {
    const bool legal = key != nullptr && load<std::uint32_t>(key) <= 8 * (spec_.key_size - 4);
    auto at = legal ? prefixes_.find(blob(key, spec_.key_size)) : prefixes_.end();
    at = at == prefixes_.end() ? prefixes_.begin() : std::next(at);
    if (at == prefixes_.end()) return -ENOENT;
    std::ranges::copy(at->first, next);
    return 0;
  }

 private:
  MapSpec spec_;
  std::map<Blob, Blob, Postorder> prefixes_;
};

class ModelOfAQueue final : public Subject {
 public:
  explicit ModelOfAQueue(const MapSpec& spec) : spec_(spec) {}
  std::size_t value_size() const override { return spec_.value_size; }
  int lookup(const std::byte*, std::byte* value, std::uint64_t flags) override {
    if (flags != 0) return -EINVAL;
    if (values_.empty()) return -ENOENT;
    std::ranges::copy(spec_.type == Queue ? values_.front() : values_.back(), value);
    return 0;
  }
  int update(const std::byte*, const std::byte* value, std::uint64_t flags) override {
    if (flags == 1 || flags > 2) return -EINVAL;
    if (values_.size() == spec_.max_entries) {
      if (flags != 2) return -E2BIG;
      values_.pop_front();
    }
    values_.push_back(blob(value, spec_.value_size));
    return 0;
  }
  int erase(const std::byte*) override { return -EINVAL; }
  int take(const std::byte* key, std::byte* value, std::uint64_t flags) override {
    const int error = lookup(key, value, flags);
    if (error != 0) return error;
    spec_.type == Queue ? values_.pop_front() : values_.pop_back();
    return 0;
  }
  int next_key(const std::byte*, std::byte*) override { return -EINVAL; }

 private:
  MapSpec spec_;
  std::deque<Blob> values_;
};

std::unique_ptr<Subject> model_of(const MapSpec& spec, std::size_t value_size) {
  switch (find_kind(spec.type)->family) {
    case Family::Trie: return std::make_unique<ModelOfPrefixes>(spec);
    case Family::Queue: return std::make_unique<ModelOfAQueue>(spec);
    default: return std::make_unique<ModelOfKeys>(spec, value_size);
  }
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(engine_() % end); }
  Blob bytes(std::size_t size) {
    Blob result(size);
    for (auto& byte : result) byte = static_cast<std::byte>(engine_());
    return result;
  }
  // A key of the map's few: wide ones differ in their last bytes, indices go beyond the end, prefixes contain each
  // other.
  Blob key(const MapSpec& spec) {
    Blob result(std::max(spec.key_size, 8U), std::byte{0x5a});
    if (spec.type == LpmTrie) {
      store(result.data(), below(8 * (spec.key_size - 4) + 2));
      for (std::size_t i = 4; i < spec.key_size; ++i) result[i] = static_cast<std::byte>(below(3) << 6 | below(2));
    } else if (find_kind(spec.type)->family == Family::Array) {
      store(result.data(), below(spec.max_entries + 2));
    } else if (spec.key_size != 0) {
      const std::uint32_t number = below(keys_);
      const std::size_t width = std::min(spec.key_size, 4U);
      std::memcpy(result.data() + spec.key_size - width, &number, width);
    }
    return result;
  }
  std::uint64_t flags() {
    constexpr std::uint64_t kFlags[] = {0, 0, 0, 0, 1, 2, 3, 16};
    return kFlags[below(8)];
  }
  void few_keys(std::uint32_t count) { keys_ = count; }

 private:
  std::mt19937 engine_;
  std::uint32_t keys_ = 100;
};

bool ordered(const MapSpec& spec) {
  const Family family = find_kind(spec.type)->family;
  return family == Family::Array || family == Family::Trie || family == Family::Queue;
}

struct Answer {
  int result;
  Blob bytes;
  friend bool operator==(const Answer&, const Answer&) = default;
};

Answer operate(Subject& map, const MapSpec& spec, std::uint32_t what, const Blob& key_bytes, const Blob& value,
               std::uint64_t flags) {
  const std::byte* key = spec.key_size == 0 ? nullptr : key_bytes.data();
  Answer answer{0, Blob(std::max<std::size_t>(map.value_size(), spec.key_size))};
  switch (what) {
    case 0: answer.result = map.lookup(key, answer.bytes.data(), 0); break;
    case 1: answer.result = map.erase(key); break;
    case 2: answer.result = map.take(key, answer.bytes.data(), 0); break;
    case 3: answer.result = ordered(spec) ? map.next_key(key, answer.bytes.data()) : 0; break;
    default: answer.result = map.update(key, value.data(), flags); break;
  }
  if (answer.result != 0) answer.bytes.clear();
  return answer;
}

// All keys with their values, in order if there is one.
std::vector<Blob> contents(Subject& map, const MapSpec& spec) {
  std::vector<Blob> all;
  if (spec.key_size == 0) return all;
  Blob key(spec.key_size);
  Blob next(spec.key_size);
  Blob value(map.value_size());
  for (int error = map.next_key(nullptr, next.data()); error == 0; error = map.next_key(key.data(), next.data())) {
    key = next;
    EXPECT_EQ(map.lookup(key.data(), value.data(), 0), 0);
    all.push_back(key);
    all.back().insert(all.back().end(), value.begin(), value.end());
    if (all.size() > spec.max_entries) break;
  }
  if (!ordered(spec)) std::ranges::sort(all);
  return all;
}

void compare(const MapSpec& spec, Subject& ours, Subject& other, const char* whose, std::uint32_t seed) {
  constexpr int kOperations = 6000;
  Random random(seed);
  random.few_keys(spec.max_entries + spec.max_entries / 2);
  for (int i = 0; i < kOperations; ++i) {
    const std::uint32_t what = random.below(9);
    const Blob key = random.key(spec);
    const Blob value = random.bytes(ours.value_size());
    const std::uint64_t flags = random.flags();
    const Answer mine = operate(ours, spec, what, key, value, flags);
    ASSERT_EQ(mine, operate(other, spec, what, key, value, flags))
        << whose << ": operation " << i << " (" << what << ") on " << name(spec.type) << ", seed " << seed << ", ours "
        << mine.result;
    if (i % 1000 == 0) {
      ASSERT_EQ(contents(ours, spec), contents(other, spec)) << whose;
    }
  }
  EXPECT_EQ(contents(ours, spec), contents(other, spec)) << whose << ", " << name(spec.type) << ", seed " << seed;
}

std::vector<MapSpec> specs() {
  const auto of = [](spec::MapType type, std::uint32_t key, std::uint32_t value, std::uint32_t entries,
                     std::uint32_t flags = 0) {
    return MapSpec{.type = type, .key_size = key, .value_size = value, .max_entries = entries, .flags = flags};
  };
  return {of(Array, 4, 1, 7),
          of(Array, 4, 24, 50),
          of(PercpuArray, 4, 12, 9),
          of(Hash, 4, 8, 64),
          of(Hash, 1, 3, 100),
          of(Hash, 13, 20, 1),
          of(Hash, 16, 16, 100, spec::kNoPrealloc),
          of(Hash, 40, 8, 33, spec::kZeroSeed),
          of(PercpuHash, 8, 8, 50),
          of(PercpuHash, 6, 5, 50, spec::kNoPrealloc),
          of(LpmTrie, 8, 8, 40, spec::kNoPrealloc),
          of(LpmTrie, 5, 1, 500, spec::kNoPrealloc),
          of(LpmTrie, 8, 4, 1000, spec::kNoPrealloc),
          of(LpmTrie, 7, 8, 14000, spec::kNoPrealloc),
          of(LpmTrie, 12, 8, 210000, spec::kNoPrealloc),
          of(LpmTrie, 20, 4, 100, spec::kNoPrealloc),
          of(LpmTrie, 21, 4, 60, spec::kNoPrealloc),
          of(Queue, 0, 8, 10),
          of(Queue, 0, 3, 1),
          of(Stack, 0, 12, 10)};
}

class ModelTest : public testing::TestWithParam<std::uint32_t> {};

TEST_P(ModelTest, OursEqualTheModel) {
  const auto domain = *Domain::create();
  for (const MapSpec& spec : specs()) {
    std::unique_ptr<Subject> ours;
    ASSERT_EQ(Ours::create(*domain, spec, ours), 0);
    compare(spec, *ours, *model_of(spec, ours->value_size()), "model", GetParam());
  }
}

TEST_P(ModelTest, OursEqualTheKernels) {
  if (!Kernels::available()) GTEST_SKIP() << "no bpf(2) here";
  const auto domain = *Domain::create();
  for (const MapSpec& spec : specs()) {
    std::unique_ptr<Subject> ours;
    std::unique_ptr<Subject> theirs;
    ASSERT_EQ(Ours::create(*domain, spec, ours), 0);
    ASSERT_EQ(Kernels::create(spec, theirs), 0);
    compare(spec, *ours, *theirs, "kernel", GetParam());
  }
}

// LRU maps far from full do not evict: they are hashes then.
TEST_P(ModelTest, LruMapsWithRoomEqualTheKernels) {
  if (!Kernels::available()) GTEST_SKIP() << "no bpf(2) here";
  const auto domain = *Domain::create();
  for (const auto type : {LruHash, LruPercpuHash}) {
    const MapSpec spec{.type = type, .key_size = 8, .value_size = 12, .max_entries = 20000};
    MapSpec few = spec;
    few.max_entries = 200;
    std::unique_ptr<Subject> ours;
    std::unique_ptr<Subject> theirs;
    ASSERT_EQ(Ours::create(*domain, spec, ours), 0);
    ASSERT_EQ(Kernels::create(spec, theirs), 0);
    compare(few, *ours, *theirs, "kernel", GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModelTest, testing::Values(1U, 2U, 3U));

}  // namespace
}  // namespace skep::maps
