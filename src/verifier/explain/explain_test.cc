// Explanations of small programs without BTF, and the table. Those with C source are in tests/verify.
#include "verifier/explain/explain.h"

#include <gtest/gtest.h>

#include <set>

#include "isa/asm.h"
#include "spec/helpers.h"
#include "verifier/explain/facts.h"

namespace skep::verifier {
namespace {

class HelperNames : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

std::optional<Explanation> explained(std::string_view program, spec::ProgType type = spec::ProgType::Xdp) {
  const auto assembled = isa::assemble(program, HelperNames());
  EXPECT_TRUE(assembled) << program;
  if (!assembled) return std::nullopt;
  return explain({.type = type, .insns = assembled->insns});
}

TEST(Explain, AcceptedProgramsNeedNone) { EXPECT_FALSE(explained("r0 = 0\nexit")); }

TEST(Explain, FollowsSpillsFillsAndMoves) {
  const auto why = explained(
      "r6 = *(u32 *)(r1 + 0)\n*(u64 *)(r10 - 8) = r6\nr2 = *(u64 *)(r10 - 8)\nr3 = r2\nr0 = *(u8 *)(r3 + 14)\nexit");
  ASSERT_TRUE(why);
  EXPECT_EQ(why->cause, "packet_bounds");
  EXPECT_EQ(why->insn, 4U);
  ASSERT_EQ(why->because.size(), 1U);
  EXPECT_EQ(why->because[0].insn, 0U);
  EXPECT_EQ(why->because[0].says, "r6 = packet data, nothing of it proven to be there");
  EXPECT_EQ(why->missing, "no comparison of r3 with data_end on this path");
}

TEST(Explain, FollowsThePathThatFailed) {
  // The comparison's two sides: only one of them leads to the access with too few bytes.
  const auto why = explained(
      "r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 4\nr0 = 0\nif r4 > r3 goto pc+1\n"
      "r0 = *(u8 *)(r2 + 4)\nexit");
  ASSERT_TRUE(why);
  EXPECT_EQ(why->known, "packet data, 4 bytes of it proven to be there");
  ASSERT_EQ(why->because.size(), 2U);
  EXPECT_EQ(why->because[1].insn, 5U);
  EXPECT_EQ(why->missing, "");
}

TEST(Explain, FollowsCallsIntoAndOutOfFunctions) {
  const auto why = explained("r6 = r1\ncall pc+3\nr1 = r0\nr0 = *(u8 *)(r1 + 0)\nexit\nr0 = 7\nexit");
  ASSERT_TRUE(why);
  EXPECT_EQ(why->cause, "scalar_as_pointer");
  ASSERT_EQ(why->because.size(), 1U);
  EXPECT_EQ(why->because[0].insn, 5U);
  EXPECT_EQ(why->because[0].says, "r0 = the number 7");
}

TEST(Explain, CallsLeaveArgumentsUndefined) {
  const auto why = explained("r2 = 1\ncall bpf_ktime_get_ns#5\nr0 = r2\nexit");
  ASSERT_TRUE(why);
  EXPECT_EQ(why->cause, "no_value");
  ASSERT_EQ(why->because.size(), 1U);
  EXPECT_EQ(why->because[0].insn, 1U);
}

TEST(Explain, LongPathsKeepTheirEnd) {
  const auto why = explained("r6 = 100000\nr6 -= 1\nif r6 != 0 goto pc-2\nr0 = *(u8 *)(r6 + 0)\nexit");
  ASSERT_TRUE(why);
  EXPECT_LE(why->because.size(), 8U);
  EXPECT_FALSE(why->what.empty());
}

TEST(Explain, WhatNoRowKnowsIsQuoted) {
  const auto why = explained("r0 = 0\nr0 <<= 64\nexit");
  ASSERT_TRUE(why);
  EXPECT_EQ(why->cause, "shift");
  EXPECT_NE(to_text(*why).find("invalid shift 64"), std::string::npos);
}

TEST(Causes, NamesDifferAndFormsAreWhole) {
  std::set<std::string_view> names;
  for (const CauseRow& row : cause_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.what.empty() || row.needed.empty() || row.hint.empty()) << row.name;
    for (const std::string_view form : {row.what, row.needed, row.hint})
      EXPECT_EQ(form.find("<<") == std::string_view::npos, form.find(">>") == std::string_view::npos) << row.name;
  }
}

TEST(Causes, NoRowHidesALaterOne) {
  // Each pattern, read as a message, is matched by its own row first.
  const auto rows = cause_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].pattern.empty()) continue;
    Facts facts;
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(!rows[j].pattern.empty() && match(rows[j].pattern, rows[i].pattern, facts))
          << rows[j].name << " hides " << rows[i].name;
  }
}

}  // namespace
}  // namespace skep::verifier
