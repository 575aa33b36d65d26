#include "maps/control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace skep::maps {
namespace {

std::vector<unsigned> list(Control::Slots slots) {
  std::vector<unsigned> all;
  for (; slots != 0; slots = Control::rest(slots)) all.push_back(Control::first(slots));
  return all;
}

TEST(Control, FindsEveryTagAndNoEmptySlot) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    Control control(random() << 56);
    for (unsigned slot = 0; slot < kSlots; ++slot)
      if (random() % 3 != 0) control = control.with(slot, Control::tag_of(random() % 4));
    const std::uint8_t tag = Control::tag_of(random() % 4);
    const auto found = list(control.matches(tag));
    for (unsigned slot = 0; slot < kSlots; ++slot) {
      const bool reported = std::ranges::find(found, slot) != found.end();
      const bool expected = control.is_used(slot) && control.tag(slot) == tag;
      const bool refused = !control.is_used(slot);
      ASSERT_FALSE(expected && !reported) << std::hex << control.bits();
      ASSERT_FALSE(refused && reported) << std::hex << control.bits();
    }
    ASSERT_TRUE(found.empty() || control.tag(found.front()) == tag) << "the first is no mistake";
    ASSERT_EQ(list(control.used()).size() + list(control.empty()).size(), kSlots);
    ASSERT_EQ(control.population(), list(control.used()).size());
  }
}

TEST(Control, CountsWhatWentPastUpToItsMost) {
  Control control = Control(0).with(3, 0x81);
  for (unsigned i = 1; i <= kMostPassed + 3; ++i) {
    control = control.with_one_past();
    EXPECT_EQ(control.passed(), std::min(i, kMostPassed));
  }
  EXPECT_EQ(control.with_one_back().passed(), kMostPassed) << "nobody knows how many there are";
  control = Control(0).with(3, 0x81).with_one_past().with_one_past();
  EXPECT_EQ(control.with_one_back().passed(), 1U);
  EXPECT_EQ(control.with_one_back().with_one_back().with_one_back().passed(), 0U);
  EXPECT_EQ(control.tag(3), 0x81);
  EXPECT_EQ(control.without(3).population(), 0U);
}

}  // namespace
}  // namespace skep::maps
