// That the soak compares runs, and that it would find a difference.
#include "soak/soak.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "interp/interp.h"
#include "isa/op.h"
#include "jit/jit.h"
#include "runtime/bindings.h"
#include "verifier/testing_maps.h"

namespace skep::soak {
namespace {

judge::Program program(std::string_view text, std::vector<judge::MapName> maps = {}) {
  judge::Program made;
  made.type = spec::ProgType::Xdp;
  const auto assembled = isa::assemble(text, verifier::testing::HelperNames());
  EXPECT_TRUE(assembled) << text;
  made.insns = assembled->insns;
  made.maps = std::move(maps);
  return made;
}

// Counts packets in "one" and returns their length.
judge::Program counter() {
  return program(R"(
  r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r7 -= r6
  r1 = 0
  *(u32 *)(r10 - 4) = r1
  r2 = r10
  r2 += -4
  r1 = map[fd:0]
  call bpf_map_lookup_elem#1
  if r0 == 0 goto pc+3
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
  r0 = r7
  exit)",
                 {{7, "one"}});
}

class Differs : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto there = jit::available(); !there) GTEST_SKIP() << there.error().message;
  }
  // The outcome of 20 runs of `subject` against the code of `other`, which is bound to the same maps.
  std::array<int, 4> outcomes(const judge::Program& subject, const judge::Program& other) {
    soundness::World world;
    soundness::Trial trial(world, subject), wrong(world, other);
    EXPECT_EQ(trial.start(), soundness::Trial::Start::Ready) << trial.obstacle();
    EXPECT_EQ(wrong.start(), soundness::Trial::Start::Ready) << wrong.obstacle();
    std::array<int, 4> counts{};
    if (HasFailure()) return counts;
    Differential differential(world, trial, subject.type);
    EXPECT_EQ(differential.obstacle(), "");
    std::vector<maps::Map*> used;
    for (const soundness::WorldMap* map : wrong.maps()) used.push_back(map->map.get());
    differential.replace(Form::Plain, *jit::bind(wrong.image(), runtime::MapBindings(used)));
    for (std::uint64_t seed = 0; seed < 20; ++seed)
      ++counts[static_cast<std::size_t>(differential.run(Form::Plain, seed).outcome)];
    return counts;
  }
};

TEST_F(Differs, NothingWhereCodeIsRight) { EXPECT_EQ(outcomes(counter(), counter())[0], 20); }

TEST_F(Differs, AWrongResult) {
  judge::Program other = counter();
  other.insns[2] = isa::encode(isa::Op::Mov64Imm);
  other.insns[2].dst = 7;
  EXPECT_EQ(outcomes(counter(), other)[3], 20);
}

TEST_F(Differs, AByteOfAMap) {
  judge::Program other = counter();
  auto& sum = *std::ranges::find_if(
      other.insns, [](const isa::Insn& insn) { return isa::decode(insn) == isa::Op::Add64Imm && insn.imm == 1; });
  sum.imm = 2;
  EXPECT_EQ(outcomes(counter(), other)[3], 20);
}

TEST_F(Differs, AddressesAreNoDifference) {
  const judge::Program subject = program("r0 = r10\nexit");
  EXPECT_EQ(outcomes(subject, subject)[2], 20);
}

// A short slice of what `make soak` does.
TEST_F(Differs, NothingInAShortSoak) {
  const Report report = run({.runs = 60'000, .seed = 1, .inputs = 20, .sample = 1}, [](const Report&) {});
  EXPECT_EQ(report.differences, 0U) << to_text(report);
  EXPECT_GE(report.all_runs(), 60'000U);
  for (const std::uint64_t runs : report.runs) EXPECT_GT(runs, 1'000U) << to_text(report);
  if (!report.kernel_obstacle.empty()) GTEST_SKIP() << report.kernel_obstacle;
  EXPECT_GT(report.kernel_runs, 100U) << to_text(report);
}

}  // namespace
}  // namespace skep::soak
