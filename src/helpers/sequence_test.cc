// What iterators' programs write, and when it is full.
#include "exec/sequence.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "helpers/bodies.h"
#include "helpers/testing.h"

namespace skep::helpers::testing {
namespace {

using namespace std::string_view_literals;
using spec::HelperId;

class Sequences : public ::testing::Test {
 protected:
  Sequences() { call.sequence = &sequence; }
  std::int64_t write(std::string_view text, const void* to) {
    return invoke(HelperId::seq_write, {number(to), number(text.data()), text.size()});
  }
  std::int64_t print(std::string_view format, std::span<const std::uint64_t> arguments) {
    return invoke(HelperId::seq_printf, {number(&handle), number(format.data()), format.size(),
                                         number(arguments.data()), arguments.size_bytes()});
  }
  std::int64_t invoke(HelperId id, std::array<std::uint64_t, 5> r) {
    return static_cast<std::int64_t>(body(std::to_underlying(id))(call, r[0], r[1], r[2], r[3], r[4]));
  }
  static std::uint64_t number(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }
  std::string text() const { return {sequence.text().begin(), sequence.text().end()}; }

  char handle = 0, other = 0;
  char buffer[8];
  exec::Sequence sequence{buffer, &handle};
  TestHost host;
  exec::Call call{host};
};

TEST_F(Sequences, HoldTextAndBytes) {
  const std::uint64_t argument[] = {42};
  EXPECT_EQ(write("ab", &handle), 0);
  EXPECT_EQ(print("%d\n\0"sv, argument), 0);
  EXPECT_EQ(text(), "ab42\n");
}

TEST_F(Sequences, OverflowWhenFull) {
  EXPECT_EQ(write("1234567", &handle), 0);
  EXPECT_EQ(write("8", &handle), -EOVERFLOW) << "the last byte is not used";
  EXPECT_EQ(write("", &handle), -EOVERFLOW) << "for good";
  EXPECT_TRUE(sequence.overflowed());
  sequence.clear();
  const std::uint64_t argument[] = {12'345'678};
  EXPECT_EQ(print("%d\0"sv, argument), -EOVERFLOW);
  EXPECT_TRUE(sequence.overflowed());
}

TEST_F(Sequences, RefuseWhatIsNone) {
  const std::uint64_t argument[] = {1};
  EXPECT_EQ(write("a", &other), -EINVAL) << "another sequence";
  EXPECT_EQ(print("%d", argument), -EINVAL) << "no end";
  EXPECT_EQ(print("%d%d\0"sv, argument), -EINVAL) << "too few arguments";
  EXPECT_EQ(text(), "");
  call.sequence = nullptr;
  EXPECT_EQ(write("a", &handle), -EINVAL) << "no iterator runs";
}

}  // namespace
}  // namespace skep::helpers::testing
