#include "btf/btf.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "btf/testing_builder.h"

namespace skep::btf {
namespace {

using testing::Builder;

Btf parsed(const Builder& builder) {
  auto btf = Btf::parse(builder.bytes());
  EXPECT_TRUE(btf) << btf.error().message;
  return *std::move(btf);
}

TEST(Btf, FindsTypesByNameAndKind) {
  Builder b;
  const std::uint32_t i = b.add_int("node", 4);
  const std::uint32_t s = b.add_struct("node", 4, {{"m", i, 0}});
  b.add_struct("node", 8, {});
  const Btf btf = parsed(b);
  EXPECT_EQ(btf.count(), 3U);
  EXPECT_EQ(btf.find("node", Kind::Int), i);
  EXPECT_EQ(btf.find("node", Kind::Struct), s);
  EXPECT_EQ(btf.find("node", Kind::Union), std::nullopt);
  EXPECT_EQ(btf.find("nod", Kind::Int), std::nullopt);
  EXPECT_FALSE(btf.has(4));
  EXPECT_EQ(btf.type(0).kind(), Kind::Void);
}

TEST(Btf, Sizes) {
  Builder b;
  const std::uint32_t i = b.add_int("int", 4);
  const std::uint32_t a = b.add_array(i, i, 3);
  const std::uint32_t aa = b.add_array(a, i, 5);
  const std::uint32_t c = b.add(Kind::Const, "", aa);
  const std::uint32_t t = b.add(Kind::Typedef, "t", c);
  const std::uint32_t p = b.add(Kind::Ptr, "", 0);
  const std::uint32_t v = b.add(Kind::Const, "", 0);
  const std::uint32_t f = b.add(Kind::Fwd, "f", 0);
  const std::uint32_t var = b.add(Kind::Var, "x", t, 0, false, {0});
  const Btf btf = parsed(b);
  EXPECT_EQ(btf.size_of(i), 4U);
  EXPECT_EQ(btf.size_of(aa), 60U);
  EXPECT_EQ(btf.size_of(t), 60U);
  EXPECT_EQ(btf.size_of(p), 8U);
  EXPECT_EQ(btf.size_of(var), 60U);
  EXPECT_EQ(btf.size_of(v), std::nullopt);
  EXPECT_EQ(btf.size_of(f), std::nullopt);
  EXPECT_EQ(btf.size_of(0), std::nullopt);
  EXPECT_EQ(btf.size_of(999), std::nullopt);
  EXPECT_EQ(btf.resolve(t), aa);
  EXPECT_EQ(btf.resolve(v), 0U);
  EXPECT_EQ(btf.resolve(p), p);
}

TEST(Btf, MembersAlsoOfAnonymousStructures) {
  Builder b;
  const std::uint32_t i = b.add_int("int", 4);
  const std::uint32_t u = b.add_struct("", 4, {{"left", i, 0}, {"right", i, 0}}, Kind::Union);
  const std::uint32_t s = b.add_struct("s", 12, {{"first", i, 0}, {"", u, 32}, {"bits", i, 64, 3}});
  const Btf btf = parsed(b);
  const auto right = btf.find_member(s, "right");
  ASSERT_TRUE(right);
  EXPECT_EQ(right->bit_offset, 32U);
  EXPECT_EQ(right->type, i);
  EXPECT_EQ(btf.find_member(s, "bits")->bits, 3U);
  EXPECT_EQ(btf.find_member(s, "nothing"), std::nullopt);
  EXPECT_EQ(btf.find_member(s, ""), std::nullopt);
  EXPECT_EQ(btf.find_member(i, "first"), std::nullopt);
}

// Nothing named "x" anywhere, but 60000 * 60000 ways to look for it.
TEST(Btf, AMemberLookupEnds) {
  Builder b;
  b.add_struct("", 0, {}, Kind::Union);
  const auto many = [&](std::uint32_t of) {
    const std::uint32_t id = b.add(Kind::Union, "", 0, 60000);
    for (unsigned i = 0; i < 60000; ++i) {
      b.word(0);
      b.word(of);
      b.word(0);
    }
    return id;
  };
  const std::uint32_t outer = many(many(1));
  EXPECT_EQ(parsed(b).find_member(outer, "x"), std::nullopt);
}

TEST(Btf, EnumeratorsKeepTheirSign) {
  Builder b;
  const std::uint32_t s = b.add_enum("s", {{"A", -1}}, true);
  const std::uint32_t u = b.add_enum("u", {{"B", 0xffffffff}});
  const std::uint32_t w = b.add_enum("w", {{"C", -2}}, true, Kind::Enum64);
  const Btf btf = parsed(b);
  EXPECT_EQ(static_cast<std::int64_t>(btf.type(s).enumerator(0).value), -1);
  EXPECT_EQ(btf.type(u).enumerator(0).value, 0xffffffffU);
  EXPECT_EQ(static_cast<std::int64_t>(btf.type(w).enumerator(0).value), -2);
  EXPECT_EQ(btf.type(w).enumerator(0).name, "C");
}

TEST(Btf, SurvivesBeingMoved) {
  Btf first = parsed(testing::every_kind());
  const Btf second = std::move(first);
  EXPECT_EQ(second.type(*second.find("node", Kind::Struct)).member(1).name, "value");
}

TEST(Btf, AnErrorNamesTheType) {
  Builder b;
  b.add_int("int", 4);
  b.add_struct("s", 2, {{"m", 1, 0}});
  const auto btf = Btf::parse(b.bytes());
  ASSERT_FALSE(btf);
  EXPECT_EQ(btf.error().code, EINVAL);
  EXPECT_EQ(btf.error().message, "BTF refused: \tm type_id=1 bits_offset=0 Member exceeds struct_size");
}

TEST(Btf, TagsOfNewerKernels) {
  Builder b;
  b.add_int("int", 4);
  b.add(Kind::TypeTag, "address_space(1)", 1, 0, true);
  b.add(Kind::Typedef, "t", 1);
  b.add(Kind::DeclTag, "deprecated", 3, 0, true, {0xffffffff});
  EXPECT_FALSE(Btf::parse(b.bytes()));
  EXPECT_TRUE(Btf::parse(b.bytes(), nullptr, {.attribute_tags = true}));
}

TEST(Btf, SizesThatAreTooMuch) {
  EXPECT_EQ(Btf::parse({}).error().code, EINVAL);
  EXPECT_EQ(Btf::parse(std::vector<std::byte>(kMaxBytes + 1)).error().code, E2BIG);
  Builder b;  // a million and a half modifiers, each of the one before: more types than there may be
  b.add_int("int", 4);
  for (std::uint32_t i = 1; i < 1'390'000; ++i) b.add(Kind::Const, "", i);
  EXPECT_EQ(Btf::parse(b.bytes()).error().code, E2BIG);
}

TEST(Btf, ALongChainTakesLinearTime) {
  Builder b;
  b.add_int("int", 4);
  for (std::uint32_t i = 1; i < 1'000'000; ++i) b.add(Kind::Const, "", i);
  const Btf btf = parsed(b);
  EXPECT_EQ(btf.resolve(1'000'000), 1U);
}

TEST(Btf, TheKernelsOwn) {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  if (!file) GTEST_SKIP() << "no /sys/kernel/btf/vmlinux";
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  const auto btf = Btf::parse(std::as_bytes(std::span(text)), nullptr, {.attribute_tags = true});
  ASSERT_TRUE(btf) << btf.error().message;
  const auto task = btf->find("task_struct", Kind::Struct);
  ASSERT_TRUE(task);
  const auto pid = btf->find_member(*task, "pid");
  ASSERT_TRUE(pid);
  EXPECT_EQ(btf->size_of(pid->type), 4U);
}

}  // namespace
}  // namespace skep::btf
