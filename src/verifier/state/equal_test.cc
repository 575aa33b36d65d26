// What subsumes what: registers by kind, slots by byte, ids by correspondence.
#include "verifier/state/equal.h"

#include <gtest/gtest.h>

namespace skep::verifier {
namespace {

class Equal : public ::testing::Test {
 protected:
  Equal() {
    Frame frame;
    frame.registers[10] = Register::pointer(Kind::Stack);
    now_.frames[0] = FrameRef(pool_, frame);
    old_.state.frames[0] = FrameRef(pool_, frame);
  }
  Frame& old_frame() { return old_.state.mutable_frame(); }
  Frame& now_frame() { return now_.mutable_frame(); }
  Marks& marks() { return old_.state.marks[0]; }
  bool subsumed(Exactness exactness = Exactness::NotExact, CompareRules rules = {true, false, false}) {
    return Comparison(rules, ids_).subsumes(old_, now_, 100, exactness);
  }
  static Register between(std::uint64_t min, std::uint64_t max) {
    Register reg = Register::unknown();
    reg.number.full.limit_unsigned(min, max);
    reg.number.sync(Rules::Linux612);
    return reg;
  }

  FramePool pool_;
  IdMap ids_;
  Checkpoint old_;
  State now_;
};

TEST_F(Equal, WhatNobodyReadDoesNotMatter) {
  old_frame().registers[1] = Register::constant(1);
  now_frame().registers[1] = Register::pointer(Kind::Context);
  EXPECT_TRUE(subsumed());
  EXPECT_FALSE(subsumed(Exactness::RangeWithin));
  EXPECT_FALSE(subsumed(Exactness::Exact));
  marks().read_full = 1 << 1;
  EXPECT_FALSE(subsumed());
}

TEST_F(Equal, NumbersMatterWhenTheyArePrecise) {
  marks().read_half = 1 << 1;
  old_frame().registers[1] = between(0, 10);
  now_frame().registers[1] = between(5, 20);
  EXPECT_TRUE(subsumed());
  EXPECT_FALSE(subsumed(Exactness::RangeWithin));
  EXPECT_FALSE(subsumed(Exactness::NotExact, {true, true, false}));  // all numbers of the unprivileged are
  marks().precise = 1 << 1;
  EXPECT_FALSE(subsumed());
  now_frame().registers[1] = between(5, 9);
  EXPECT_TRUE(subsumed());
  EXPECT_TRUE(subsumed(Exactness::RangeWithin));
  EXPECT_FALSE(subsumed(Exactness::Exact));
  EXPECT_FALSE(subsumed(Exactness::NotExact, {true, false, true}));
}

TEST_F(Equal, PacketPointersNeedAtLeastTheRange) {
  marks().read_full = 1 << 2;
  old_frame().registers[2] = now_frame().registers[2] = Register::pointer(Kind::Packet);
  old_frame().registers[2].range = 14;
  EXPECT_FALSE(subsumed());
  now_frame().registers[2].range = 20;
  EXPECT_TRUE(subsumed());
  now_frame().registers[2].offset = 4;
  EXPECT_FALSE(subsumed());
}

TEST_F(Equal, IdsCorrespond) {
  marks().read_full = 1 << 2 | 1 << 3;
  for (const unsigned i : {2U, 3U}) {
    old_frame().registers[i] = now_frame().registers[i] = Register::pointer(Kind::MapValue, kOrNull);
    old_frame().registers[i].id = 7;
  }
  now_frame().registers[2].id = now_frame().registers[3].id = 9;
  EXPECT_TRUE(subsumed());
  now_frame().registers[3].id = 8;
  EXPECT_FALSE(subsumed());
  now_frame().registers[3].id = 0;
  EXPECT_FALSE(subsumed());
}

TEST_F(Equal, SlotsByByte) {
  marks().slots_read = 1;
  old_frame().stack.resize(1);
  old_frame().stack[0].bytes.fill(ByteKind::Misc);
  EXPECT_TRUE(subsumed());  // the privileged may read what nobody wrote
  EXPECT_FALSE(subsumed(Exactness::NotExact, {false, true, false}));
  now_frame().stack.resize(1);
  now_frame().stack[0].bytes.fill(ByteKind::Zero);
  EXPECT_TRUE(subsumed());
  old_frame().stack[0].bytes.fill(ByteKind::Zero);
  now_frame().stack[0].bytes.fill(ByteKind::Misc);
  EXPECT_FALSE(subsumed());
  marks().slots_read = 0;
  EXPECT_TRUE(subsumed());
}

TEST_F(Equal, ASpilledNumberComparesWithBytesThatMayBeAnything) {
  marks().slots_read = marks().slots_precise = 1;
  old_frame().stack.resize(1);
  old_frame().stack[0].bytes.fill(ByteKind::Spill);
  old_frame().stack[0].spilled = Register::unknown();
  now_frame().stack.resize(1);
  now_frame().stack[0].bytes.fill(ByteKind::Misc);
  EXPECT_TRUE(subsumed());
  old_frame().stack[0].spilled = between(0, 5);
  EXPECT_FALSE(subsumed());
  old_frame().stack[0].spilled = Register::pointer(Kind::Context);
  EXPECT_FALSE(subsumed());
}

TEST_F(Equal, WhatWasCleanedIsGone) {
  old_frame().registers[1] = Register::constant(1);
  old_.is_cleaned = true;
  EXPECT_TRUE(subsumed(Exactness::RangeWithin));
  now_frame().registers[1] = Register::constant(2);
  EXPECT_FALSE(subsumed(Exactness::RangeWithin));
}

TEST_F(Equal, SectionsAndReferences) {
  now_.in_rcu = true;
  EXPECT_FALSE(subsumed());
  old_.state.in_rcu = true;
  EXPECT_TRUE(subsumed());
  now_.references.push_back({.id = 3});
  EXPECT_FALSE(subsumed());
  old_.state.references.push_back({.id = 5});
  EXPECT_TRUE(subsumed());
  now_.lock = {.object = 1, .id = 4};
  EXPECT_FALSE(subsumed());
}

TEST_F(Equal, SpeculationSaysNothingOfWhatReallyHappens) {
  old_.state.speculative = true;
  EXPECT_FALSE(subsumed());
  now_.speculative = true;
  EXPECT_TRUE(subsumed());
}

}  // namespace
}  // namespace skep::verifier
