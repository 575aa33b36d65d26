#include "base/cpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace skep {
namespace {

TEST(Cpus, Lists) {
  EXPECT_EQ(list_end("0-3,8\n"), 9U);
  EXPECT_EQ(list_end("0\n"), 1U);
  EXPECT_EQ(list_end("none"), 0U);
  EXPECT_EQ(list_end("3-1"), 0U);
  EXPECT_EQ(list_contains("0-3,8", 8), true);
  EXPECT_EQ(list_contains("0-3,8", 2), true);
  EXPECT_EQ(list_contains("0-3,8", 5), false);
  EXPECT_EQ(list_contains("0-", 0), std::nullopt);
  EXPECT_EQ(list_contains("", 0), false);
}

TEST(Cpus, ThisMachine) {
  EXPECT_GE(possible_cpus(), static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)));
  EXPECT_GE(most_cpus(), possible_cpus());
  EXPECT_FALSE(memory_node_online(100000));
}

}  // namespace
}  // namespace skep
