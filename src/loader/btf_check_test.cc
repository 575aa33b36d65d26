#include "loader/btf_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skep::loader {
namespace {

using Words = std::vector<std::uint32_t>;

// A BTF of these type words and the strings "\0name\0".
std::vector<std::byte> btf(const Words& types) {
  const auto bytes = static_cast<std::uint32_t>(types.size() * 4);
  const Words header = {0x0001eb9f, 24, 0, bytes, bytes, 6};
  const std::string strings("\0name\0", 6);
  std::vector<std::byte> out;
  const auto append = [&](Bytes more) { out.insert(out.end(), more.begin(), more.end()); };
  append(std::as_bytes(std::span(header)));
  append(std::as_bytes(std::span(types)));
  append(std::as_bytes(std::span(strings)));
  return out;
}
std::string why(const Words& types) {
  Result<> checked = check_btf(btf(types));
  return checked ? "" : checked.error().message;
}
constexpr std::uint32_t kind(std::uint32_t number, std::uint32_t vlen = 0) { return number << 24 | vlen; }

TEST(BtfCheck, EachRuleHasItsSentence) {
  struct Case {
    Words types;
    std::string message;
  };
  const Case cases[] = {
      {{}, ""},
      {{1, kind(1), 4, 32}, ""},
      {{1, kind(8), 2, 1, kind(1), 4, 32}, ""},
      {{0, kind(2), 1}, ""},                             // a pointer to itself contains nothing
      {{1, kind(4, 1), 8, 1, 2, 0, 0, kind(2), 1}, ""},  // struct with a pointer to itself
      {{9, kind(1), 4, 32}, "type 1 (Int): its name is outside of the strings"},
      {{1, kind(1), 4}, "type 1 is cut off"},
      {{1, kind(30), 4}, "type 1 is of kind 30, which is unknown"},
      {{1, kind(8), 5}, "type 1 (Typedef): refers to a type that is not there"},
      {{1, kind(8), 2, 1, kind(8), 1}, "type 1 (Typedef): contains itself"},
      {{1, kind(4, 1), 8, 1, 1, 0}, "type 1 (Struct): contains itself"},
      {{0, kind(3), 0, 1, 1, 4}, "type 1 (Array): contains itself"},
      {{1, kind(12), 2, 1, kind(1), 4, 32}, "type 1 (Func): is no function's type"},
      {{1, kind(15, 1), 4, 2, 0, 4, 1, kind(1), 4, 32}, "type 1 (Datasec): entry 0 is no variable"},
      {{1, kind(4, 2), 8, 1, 2, 0}, "type 1 is cut off"},
      {{1, kind(6, 1), 4, 77, 0}, "type 1 (Enum): entry 0 has no such name"},
  };
  for (const Case& c : cases) EXPECT_EQ(why(c.types), c.message);
}

TEST(BtfCheck, LongChainsEnd) {
  Words types;
  for (std::uint32_t i = 0; i < 100000; ++i) types.insert(types.end(), {1, kind(8), i + 2});
  types.insert(types.end(), {1, kind(1), 4, 32});
  EXPECT_NE(why(types).find("nested too deeply"), std::string::npos);
}

TEST(BtfCheck, HeaderIsBounded) {
  std::vector<std::byte> bytes = btf({1, kind(1), 4, 32});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(check_btf(Bytes(bytes).first(size))) << size;
  bytes.back() = std::byte{'x'};
  EXPECT_EQ(check_btf(bytes).error().message, "strings do not begin and end with a NUL");
}

}  // namespace
}  // namespace skep::loader
