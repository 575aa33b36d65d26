#include "spec/format_spec.h"

#include <gtest/gtest.h>

namespace skep::spec {
namespace {

TEST(FormatSpec, WellFormedFormats) {
  EXPECT_TRUE(valid_format("", 0));
  EXPECT_TRUE(valid_format("a line\n\ttabbed", 0));
  EXPECT_TRUE(valid_format("100%%", 0));
  EXPECT_TRUE(valid_format("%d %-08llx %s %pI4", 4));
  EXPECT_TRUE(valid_format("%d", 3));  // more arguments than conversions
  EXPECT_TRUE(valid_format("%ps %pks %c", 3));
}

TEST(FormatSpec, MalformedFormats) {
  EXPECT_FALSE(valid_format("%d", 0));
  EXPECT_FALSE(valid_format("%d %d", 1));
  EXPECT_FALSE(valid_format("%z", 1));
  EXPECT_FALSE(valid_format("%", 1));
  EXPECT_FALSE(valid_format("%sx", 1));
  EXPECT_FALSE(valid_format("%pI5", 1));
  EXPECT_FALSE(valid_format("\x80", 0));
  EXPECT_FALSE(valid_format("\x01", 0));
}

}  // namespace
}  // namespace skep::spec
