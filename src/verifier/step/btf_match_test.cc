#include "verifier/step/btf_match.h"

#include <gtest/gtest.h>

#include "btf/testing_builder.h"

namespace skep::verifier {
namespace {

using btf::testing::Builder;

struct Types {
  std::uint32_t number, inner, array, outer, pointer, deep, either;
  btf::Btf btf;
};

Types types() {
  Builder b;
  const auto number = b.add_int("int", 4, btf::kSigned);
  const auto inner = b.add_struct("inner", 8, {{"a", number, 0}, {"b", number, 32}});
  const auto array = b.add_array(inner, number, 3);
  const auto outer = b.add_struct("outer", 40, {{"first", inner, 0}, {"n", number, 64}, {"more", array, 128}});
  const auto pointer = b.add(btf::Kind::Ptr, "", inner);
  const auto deep = b.add_struct("deep", 48, {{"outer", outer, 0}, {"p", pointer, 320}});
  const auto either = b.add_struct("either", 8, {{"whole", inner, 0}, {"half", number, 0}}, btf::Kind::Union);
  return {number, inner, array, outer, pointer, deep, either, *btf::Btf::parse(b.bytes())};
}

TEST(BtfMatch, FindsNestedStructures) {
  const Types t = types();
  const auto contains = [&](std::uint32_t has, std::int64_t offset, std::uint32_t needed, Match match) {
    return is_or_contains({&t.btf, has}, offset, {&t.btf, needed}, match);
  };
  EXPECT_TRUE(contains(t.outer, 0, t.outer, Match::Strict));
  EXPECT_FALSE(contains(t.outer, 0, t.inner, Match::Strict));
  EXPECT_TRUE(contains(t.outer, 0, t.inner, Match::Nested));
  EXPECT_TRUE(contains(t.deep, 0, t.inner, Match::Nested));  // the first member of the first member
  EXPECT_FALSE(contains(t.outer, 4, t.inner, Match::Nested));
  EXPECT_FALSE(contains(t.outer, 8, t.inner, Match::Nested));  // a number lies there
  EXPECT_TRUE(contains(t.outer, 16, t.inner, Match::Nested));
  EXPECT_TRUE(contains(t.deep, 32, t.inner, Match::Nested));  // the last of the array
  EXPECT_FALSE(contains(t.outer, -8, t.inner, Match::Nested));
  EXPECT_FALSE(contains(t.outer, 40, t.inner, Match::Nested));
}

TEST(BtfMatch, ComparesTypesOfTwoBtfsByName) {
  const Types t = types(), u = types();
  EXPECT_TRUE(same_type({&t.btf, t.inner}, {&u.btf, u.inner}));
  EXPECT_FALSE(same_type({&t.btf, t.inner}, {&u.btf, u.outer}));
  EXPECT_FALSE(same_type({&t.btf, t.inner}, {nullptr, 1}));
}

TEST(BtfMatch, Flavors) {
  EXPECT_TRUE(is_flavor_of("sk_buff", "sk_buff"));
  EXPECT_TRUE(is_flavor_of("sk_buff___old", "sk_buff"));
  EXPECT_FALSE(is_flavor_of("sk_buff_list", "sk_buff"));
  EXPECT_FALSE(is_flavor_of("sk", "sk_buff"));
  EXPECT_EQ(without_flavor("task_struct___local"), "task_struct");
  EXPECT_EQ(without_flavor("task_struct"), "task_struct");
  EXPECT_EQ(without_flavor("___x"), "___x");
}

TEST(BtfMatch, PlainData) {
  const Types t = types();
  EXPECT_TRUE(is_plain_data(t.btf, t.number));
  EXPECT_TRUE(is_plain_data(t.btf, t.outer));
  EXPECT_TRUE(is_plain_data(t.btf, t.either));
  EXPECT_FALSE(is_plain_data(t.btf, t.deep));  // it holds a pointer
  EXPECT_FALSE(is_plain_data(t.btf, t.pointer));
}

}  // namespace
}  // namespace skep::verifier
