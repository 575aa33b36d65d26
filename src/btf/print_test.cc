#include "btf/print.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "btf/testing_builder.h"

namespace skep::btf {
namespace {

using testing::Builder;

struct Printed {
  const Builder& builder;
  PrintOptions options{};
  template <class T>
  std::string operator()(std::uint32_t type, const T& value) const {
    const Btf btf = *Btf::parse(builder.bytes());
    const auto text = print(btf, type, bytes_of(value), options);
    return text ? *text : "error: " + text.error().message;
  }
};

TEST(Print, Numbers) {
  Builder b;
  const std::uint32_t s8 = b.add_int("signed char", 1, kSigned);
  const std::uint32_t u64 = b.add_int("__u64", 8);
  const std::uint32_t boolean = b.add_int("_Bool", 1, kBool);
  const std::uint32_t u128 = b.add_int("unsigned __int128", 16);
  const std::uint32_t f32 = b.add(Kind::Float, "float", 4);
  const std::uint32_t f64 = b.add(Kind::Float, "double", 8);
  const std::uint32_t ptr = b.add(Kind::Ptr, "", 0);
  const std::uint32_t cnst = b.add(Kind::Const, "", s8);
  const Printed json{b};
  const Printed c{b, {.notation = Notation::C}};
  EXPECT_EQ(json(s8, std::int8_t{-5}), "-5");
  EXPECT_EQ(json(cnst, std::int8_t{-128}), "-128");
  EXPECT_EQ(json(u64, ~std::uint64_t{0}), "18446744073709551615");
  EXPECT_EQ(json(boolean, std::uint8_t{1}), "true");
  EXPECT_EQ(json(boolean, std::uint8_t{7}), "7");
  struct {
    std::uint64_t low, high;
  } wide{1, 2};
  EXPECT_EQ(json(u128, wide), "\"0x20000000000000001\"");
  EXPECT_EQ(c(u128, wide), "0x20000000000000001");
  EXPECT_EQ(json(f32, 0.5F), "0.5");
  EXPECT_EQ(json(f64, -1e300), "-1e+300");
  EXPECT_EQ(json(f64, std::numeric_limits<double>::infinity()), "\"inf\"");
  EXPECT_EQ(json(ptr, std::uint64_t{0xffff888000000000}), "\"0xffff888000000000\"");
  EXPECT_EQ(c(ptr, std::uint64_t{0x10}), "0x10");
}

TEST(Print, Enumerations) {
  Builder b;
  const std::uint32_t e = b.add_enum("e", {{"RED", 0}, {"GREEN", -2}}, true);
  const std::uint32_t big = b.add_enum("big", {{"HUGE", 1LL << 40}}, false, Kind::Enum64);
  const Printed json{b};
  EXPECT_EQ(json(e, std::int32_t{-2}), "\"GREEN\"");
  EXPECT_EQ(json(e, std::int32_t{-3}), "-3");
  EXPECT_EQ(json(big, std::uint64_t{1} << 40), "\"HUGE\"");
  EXPECT_EQ((Printed{b, {.notation = Notation::C}})(e, 0), "RED");
}

struct Flow {
  std::uint32_t port;
  char name[8];
  std::uint8_t bits;
  std::uint8_t pad;
  std::uint16_t list[2];
  std::uint16_t pad2;
};

Builder flow_types() {
  Builder b;
  const std::uint32_t u32 = b.add_int("__u32", 4);
  const std::uint32_t chr = b.add_int("char", 1, kSigned);
  const std::uint32_t u16 = b.add_int("__u16", 2);
  const std::uint32_t name = b.add_array(chr, u32, 8);
  const std::uint32_t list = b.add_array(u16, u32, 2);
  const std::uint32_t inner = b.add_struct("", 4, {{"list", list, 0}});
  b.add_struct("flow", 20,
               {{"port", u32, 0}, {"name", name, 32}, {"low", u32, 96, 3}, {"high", u32, 99, 2}, {"", inner, 112}});
  return b;
}
constexpr std::uint32_t kFlow = 7;

TEST(Print, Structures) {
  const Builder b = flow_types();
  const Flow flow{80, "eth\"0", 0b10'101, 0, {1, 2}, 0};
  EXPECT_EQ((Printed{b})(kFlow, flow), R"({"port": 80, "name": "eth\"0", "low": 5, "high": 2, "list": [1, 2]})");
  EXPECT_EQ((Printed{b, {.notation = Notation::C}})(kFlow, flow),
            R"({ .port = 80, .name = "eth\"0", .low = 5, .high = 2, .list = { 1, 2 } })");
  EXPECT_EQ((Printed{b, {.layout = Layout::Indented, .indent = 2}})(kFlow, flow),
            "{\n    \"port\": 80,\n    \"name\": \"eth\\\"0\",\n    \"low\": 5,\n    \"high\": 2,\n    \"list\": [\n"
            "      1,\n      2\n    ]\n  }");
}

TEST(Print, CharactersThatAreNoText) {
  Builder b;
  const std::uint32_t chr = b.add_int("char", 1, kSigned);
  const std::uint32_t u8 = b.add_int("unsigned char", 1);
  const std::uint32_t chars = b.add_array(chr, u8, 3);
  const std::uint32_t bytes = b.add_array(u8, u8, 3);
  const Printed json{b};
  EXPECT_EQ(json(chars, std::array<char, 3>{'a', 0, 0}), "\"a\"");
  EXPECT_EQ(json(chars, std::array<char, 3>{'a', 'b', 'c'}), "\"abc\"");
  EXPECT_EQ(json(chars, std::array<char, 3>{'a', 0, 'c'}), "[97, 0, 99]");
  EXPECT_EQ(json(chars, std::array<char, 3>{'\n', 0, 0}), "[10, 0, 0]");
  EXPECT_EQ(json(bytes, std::array<char, 3>{'a', 'b', 'c'}), "[97, 98, 99]");
}

TEST(Print, SectionsOfVariables) {
  Builder b;
  const std::uint32_t u32 = b.add_int("__u32", 4);
  const std::uint32_t var = b.add(Kind::Var, "limit", u32, 0, false, {1});
  const std::uint32_t sec = b.add(Kind::Datasec, ".data", 8, 1, false, {var, 4, 4});
  EXPECT_EQ((Printed{b})(sec, std::array<std::uint32_t, 2>{1, 2}), "{\"limit\": 2}");
}

TEST(Print, BitsAtAnyPlace) {
  Builder b;
  const std::uint32_t u64 = b.add_int("__u64", 8);
  const std::uint32_t s64 = b.add_int("long", 8, kSigned);
  const std::uint32_t s = b.add_struct("s", 16, {{"a", u64, 3, 62}, {"b", s64, 65, 3}});
  const std::array<std::uint64_t, 2> value{~std::uint64_t{0} << 3, 0b101'1};
  EXPECT_EQ((Printed{b})(s, value), "{\"a\": 4611686018427387903, \"b\": -3}");
}

TEST(Print, WhatHasNoValue) {
  Builder b;
  const std::uint32_t u32 = b.add_int("__u32", 4);
  const std::uint32_t fwd = b.add(Kind::Fwd, "f", 0);
  const Btf btf = *Btf::parse(b.bytes());
  EXPECT_EQ(print(btf, fwd, {}).error().code, EINVAL);
  EXPECT_EQ(print(btf, 0, {}).error().code, EINVAL);
  EXPECT_EQ(print(btf, 99, {}).error().code, EINVAL);
  EXPECT_EQ(print(btf, u32, std::vector<std::byte>(3)).error().code, EINVAL);
}

// Unions of two unions of two unions ...: 2^40 ways through 4 bytes.
TEST(Print, HostileNestingEnds) {
  for (const std::string_view name : {"m", ""}) {
    Builder b;
    b.add_int("int", 4);
    for (unsigned i = 0; i < 40; ++i) b.add_struct("", 4, {{name, b.count(), 0}, {name, b.count(), 0}}, Kind::Union);
    b.add_struct("", 4, {{"m", 2, 0}});
    const Btf btf = *Btf::parse(b.bytes());
    EXPECT_EQ(print(btf, 41, std::vector<std::byte>(4), {.max_bytes = 1U << 16}).error().code, E2BIG);
  }
}

TEST(Declare, AStructure) {
  const Btf btf = *Btf::parse(flow_types().bytes());
  EXPECT_EQ(*declare(btf, kFlow),
            "struct flow {\n  __u32 port;\n  char name[8];\n  __u32 low: 3;\n  __u32 high: 2;\n  struct {\n"
            "    __u16 list[2];\n  };\n};");
}

TEST(Declare, PointersArraysAndFunctions) {
  Builder b;
  const std::uint32_t i = b.add_int("int", 4, kSigned);
  const std::uint32_t s = b.add_struct("s", 0, {});
  const std::uint32_t cs = b.add(Kind::Const, "", s);
  const std::uint32_t ptr = b.add(Kind::Ptr, "", cs);
  const std::uint32_t cptr = b.add(Kind::Const, "", ptr);
  const std::uint32_t proto = b.add(Kind::FuncProto, "", i, 2, false, {b.string("p"), ptr, 0, 0});
  const std::uint32_t fptr = b.add(Kind::Ptr, "", proto);
  const std::uint32_t fptrs = b.add_array(fptr, i, 3);
  const std::uint32_t parr = b.add(Kind::Ptr, "", fptrs);
  const std::uint32_t function = b.add(Kind::Func, "run", proto);
  const Btf btf = *Btf::parse(b.bytes());
  EXPECT_EQ(*declare(btf, cptr), "const struct s *const");
  EXPECT_EQ(*declare(btf, fptrs), "int (*[3])(const struct s *p, ...)");
  EXPECT_EQ(*declare(btf, parr), "int (*(*)[3])(const struct s *p, ...)");
  EXPECT_EQ(*declare(btf, function), "int run(const struct s *p, ...)");
  EXPECT_FALSE(declare(btf, 77));
}

TEST(Declare, AnonymousTypesThatReferToThemselves) {
  Builder b;
  const std::uint32_t ptr = b.add(Kind::Ptr, "", 2);
  const std::uint32_t s = b.add_struct("", 16, {{"left", ptr, 0}, {"right", ptr, 64}});
  const std::uint32_t proto = b.add(Kind::FuncProto, "", 0, 2, false, {b.string("a"), 4, b.string("b"), 4});
  b.add(Kind::Ptr, "", proto);
  const Btf btf = *Btf::parse(b.bytes());
  EXPECT_EQ(declare(btf, s).error().code, E2BIG);
  EXPECT_EQ(declare(btf, proto).error().code, E2BIG);
}

}  // namespace
}  // namespace skep::btf
