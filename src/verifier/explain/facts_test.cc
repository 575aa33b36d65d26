#include "verifier/explain/facts.h"

#include <gtest/gtest.h>

namespace skep::verifier {
namespace {

TEST(Facts, AreReadOutOfMessages) {
  Facts facts;
  ASSERT_TRUE(match("invalid access to packet, off={off} size={size}, R{reg}(id={},off={},r={range})",
                    "invalid access to packet, off=14 size=1, R1(id=0,off=0,r=-5)", facts));
  EXPECT_EQ(facts.number("off"), 14);
  EXPECT_EQ(*facts.find("reg"), "1");
  EXPECT_EQ(facts.number("range"), -5);
  EXPECT_EQ(facts.find(""), nullptr);
}

TEST(Facts, AllOfTheTextMustMatch) {
  Facts facts;
  EXPECT_FALSE(match("R{reg} !read_ok", "R1 !read_ok now", facts));
  EXPECT_FALSE(match("R{reg} !read_ok", "R1", facts));
  EXPECT_FALSE(match("a{x}b{y}", "a1c", facts));
  EXPECT_EQ(facts.find("reg"), nullptr) << "nothing is kept of what did not match";
  EXPECT_TRUE(match("{all}", "", facts));
  EXPECT_EQ(*facts.find("all"), "");
}

TEST(Facts, NumbersAreWholeNumbers) {
  Facts facts;
  facts.set("hex", "0x1");
  facts.set("n", 7);
  facts.set("n", 8);
  EXPECT_FALSE(facts.number("hex"));
  EXPECT_FALSE(facts.number("none"));
  EXPECT_EQ(facts.number("n"), 8);
}

TEST(Facts, FillSentences) {
  Facts facts;
  facts.set("size", 1);
  facts.set("map", "counts");
  EXPECT_EQ(fill("reads {size#} of {map}<<, known: {known}>>.", facts), "reads 1 byte of counts.");
  EXPECT_EQ(fill("<<map {map} >>has {size}", facts), "map counts has 1");
  EXPECT_EQ(fill("{known} <<{map", facts), "? counts");
  facts.set("size", 4);
  EXPECT_EQ(fill("{size#}", facts), "4 bytes");
}

}  // namespace
}  // namespace skep::verifier
