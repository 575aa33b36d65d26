// That a hive's maps answer as the kernel's do, and that the judge would see it if they did not.
#include <gtest/gtest.h>

#include <cerrno>

#include "kernel/bpf.h"
#include "map_judge/court.h"
#include "map_judge/model.h"

namespace skep::map_judge {
namespace {

using spec::MapType;

class JudgedKind : public testing::TestWithParam<MapType> {};

TEST_P(JudgedKind, AnswersAsTheKernelDoes) {
  if (!kernel::available()) GTEST_SKIP() << kernel::why_unavailable();
  Court court;
  if (!court.kernel_has(GetParam())) GTEST_SKIP() << "not in this kernel";
  for (std::uint64_t seed = 1, done = 0; done < 3000; ++seed) {
    const Sequence sequence = draw(GetParam(), seed, 100, court.cpus());
    const Verdict verdict = court.judge(sequence);
    done += verdict.operations;
    ASSERT_FALSE(verdict.difference) << "seed " << seed << ": " << verdict.difference->what << "\n  "
                                     << verdict.difference->answers << '\n'
                                     << to_text(court.minimised(sequence));
  }
}

// Those that have elements.
std::vector<MapType> whole_kinds() {
  std::vector<MapType> whole;
  for (std::uint32_t number = 1; const auto type = spec::map_type(number); ++number)
    if (const maps::Kind* kind = maps::find_kind(*type); kind != nullptr && !kind->has(maps::kShell))
      whole.push_back(*type);
  return whole;
}
INSTANTIATE_TEST_SUITE_P(Kinds, JudgedKind, testing::ValuesIn(whole_kinds()),
                         [](const auto& kind) { return std::string(spec::name(kind.param)); });

// A difference that there is, among much that is alike, is found and nothing else is left.
TEST(MapJudge, FindsADifferenceAndMakesItSmall) {
  if (!kernel::available()) GTEST_SKIP() << kernel::why_unavailable();
  Court court;
  Sequence sequence{
      .spec = {.type = MapType::Array, .key_size = 4, .value_size = 8, .max_entries = 4, .flags = spec::kMmapable},
      .has_lock = true,
      .keys = 4,
      .operations = {}};
  for (std::uint32_t i = 0; i < 20; ++i) sequence.operations.push_back({.act = Act::Update, .key = i % 4, .value = i});
  sequence.operations[13] = {.act = Act::Map};
  const Verdict left = court.judge(sequence);
  EXPECT_FALSE(left.difference);
  EXPECT_EQ(left.known, 1U);
  const Verdict verdict = court.judge(sequence, Court::Known::Reported);
  ASSERT_TRUE(verdict.difference);
  EXPECT_EQ(verdict.difference->at, 13U);
  const Sequence small = court.minimised(sequence, Court::Known::Reported);
  ASSERT_EQ(small.operations.size(), 1U) << to_text(small);
  EXPECT_EQ(small.operations.back().act, Act::Map);
}

class ModelTest : public testing::Test {
 protected:
  static Sequence hash() {
    return {
        .spec = {.type = MapType::Hash, .key_size = 8, .value_size = 8, .max_entries = 4}, .keys = 8, .operations = {}};
  }
  Element element(std::uint32_t key, std::uint32_t value) const {
    return {material_.normal_key(key), material_.normal(value)};
  }
  void write(Model& model, std::uint32_t key, std::uint32_t value) const {
    EXPECT_EQ(model.judge({.act = Act::Update, .key = key, .value = value}, {.result = 0}), "");
  }

  const Sequence sequence_ = hash();
  const Material material_{sequence_, 2};
  Model exact_{sequence_, material_, false}, evicting_{sequence_, material_, true};
};

TEST_F(ModelTest, KnowsWhatWasWritten) {
  write(exact_, 1, 10);
  const Operation lookup{.act = Act::Lookup, .key = 1};
  EXPECT_EQ(exact_.judge(lookup, {.result = 0, .data = material_.normal(10)}), "");
  EXPECT_NE(exact_.judge(lookup, {.result = 0, .data = material_.normal(11)}), "");
  EXPECT_NE(exact_.judge({.act = Act::Lookup, .key = 2}, {.result = 0, .data = material_.normal(10)}), "");
  EXPECT_NE(exact_.judge({.act = Act::Update, .key = 1, .value = 3, .flags = spec::kNoExist}, {.result = 0}), "");
  EXPECT_NE(exact_.judge({.act = Act::Update, .key = 2, .value = 3, .flags = spec::kExist}, {.result = 0}), "");
  EXPECT_NE(exact_.judge(lookup, {.result = -ENOENT}), "");
}

TEST_F(ModelTest, WalksAreWholeAndSeeNothingTwice) {
  write(exact_, 1, 10);
  write(exact_, 2, 20);
  const auto walk = [&](std::vector<Element> elements) {
    return exact_.judge({.act = Act::Walk}, {.result = -ENOENT, .elements = std::move(elements)});
  };
  EXPECT_EQ(walk({element(2, 20), element(1, 10)}), "");
  EXPECT_EQ(walk({element(1, 10), element(2, 20)}), "");
  EXPECT_NE(walk({element(1, 10)}), "");
  EXPECT_NE(walk({element(1, 10), element(2, 20), element(1, 10)}), "");
  EXPECT_NE(walk({element(1, 10), element(2, 21)}), "");
  EXPECT_NE(walk({element(1, 10), element(2, 20), element(3, 30)}), "");
}

TEST_F(ModelTest, WhatWasEvictedStaysAway) {
  write(evicting_, 1, 10);
  write(evicting_, 2, 20);
  const auto walk = [&](std::vector<Element> elements) {
    return evicting_.judge({.act = Act::Walk}, {.result = -ENOENT, .elements = std::move(elements)});
  };
  EXPECT_EQ(walk({element(2, 20)}), "");
  EXPECT_NE(walk({element(1, 10), element(2, 20)}), "") << "1 was evicted";
  EXPECT_NE(walk({element(2, 21)}), "");
}

TEST(MapJudge, DrawsTheSameForTheSameSeed) {
  EXPECT_EQ(to_text(draw(MapType::Hash, 7, 50, 2)), to_text(draw(MapType::Hash, 7, 50, 2)));
  EXPECT_NE(to_text(draw(MapType::Hash, 7, 50, 2)), to_text(draw(MapType::Hash, 8, 50, 2)));
}

}  // namespace
}  // namespace skep::map_judge
