#include "base/result.h"

#include <gtest/gtest.h>

namespace skep {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(EDOM, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY(const int once, half(n));
  return half(once);
}

Result<> quarters(int n) {
  TRY_VOID(quarter(n));
  return {};
}

TEST(Result, TryPassesValuesAndErrorsOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_TRUE(quarters(4));
  EXPECT_EQ(quarters(2).error().code, EDOM);
}

}  // namespace
}  // namespace skep
