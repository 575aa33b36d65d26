#include "isa/cfg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "isa/asm.h"
#include "isa/op.h"

namespace skep::isa {
namespace {

struct Program {
  std::vector<Insn> insns;
  Cfg cfg;
};

Program program(std::string_view text) {
  auto result = assemble(text);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  if (!result) return {};
  Cfg cfg = make_cfg(result->insns);
  return {std::move(result->insns), std::move(cfg)};
}

std::vector<std::string> flaws(std::string_view text) {
  std::vector<std::string> all;
  for (const Flaw& flaw : program(text).cfg.flaws) all.push_back(describe(flaw));
  return all;
}

using Strings = std::vector<std::string>;
using Ids = std::vector<BlockId>;
using Edges = std::vector<Edge>;
constexpr EdgeKind kFall = EdgeKind::FallThrough, kTaken = EdgeKind::Taken;

TEST(Cfg, StraightLineIsOneBlock) {
  const Cfg cfg = program("r0 = 1 ll\n call #5\n exit").cfg;
  ASSERT_EQ(cfg.blocks.size(), 1U);
  EXPECT_EQ(cfg.blocks[0].begin, 0U);
  EXPECT_EQ(cfg.blocks[0].end, 4U);
  EXPECT_EQ(cfg.blocks[0].last, 3U);
  EXPECT_TRUE(cfg.flaws.empty());
}

TEST(Cfg, LoopAndDiamond) {
  const Cfg cfg = program(R"(
      r0 = 0
again: if r1 == 0 goto other
      r0 += 1
      goto join
other: r0 += 2
join: r2 += 1
      if r2 < 10 goto again
      exit)")
                      .cfg;
  ASSERT_EQ(cfg.blocks.size(), 6U);  // entry, again, then, other, join, exit
  EXPECT_EQ(cfg.blocks[0].successors, (Edges{{1, kFall}}));
  EXPECT_EQ(cfg.blocks[1].successors, (Edges{{2, kFall}, {3, kTaken}}));
  EXPECT_EQ(cfg.blocks[2].successors, (Edges{{4, kTaken}}));
  EXPECT_EQ(cfg.blocks[3].successors, (Edges{{4, kFall}}));
  EXPECT_EQ(cfg.blocks[4].successors, (Edges{{5, kFall}, {1, kTaken}}));
  EXPECT_EQ(cfg.blocks[5].successors, Edges{});
  EXPECT_EQ(cfg.blocks[1].predecessors, (Ids{0, 4}));
  EXPECT_EQ(cfg.blocks[4].predecessors, (Ids{2, 3}));
  EXPECT_EQ(cfg.subprogs[0].reverse_post_order.front(), 0U);
  EXPECT_EQ(cfg.subprogs[0].reverse_post_order.size(), 6U);
  EXPECT_TRUE(cfg.flaws.empty());
}

TEST(Cfg, SubprogramsByCallAndByAddress) {
  const Cfg cfg = program(R"(
      call sub
      r2 = subprog[callback]
      call sub
      exit
sub:  call callback
      exit
callback: r0 = 0
      exit)")
                      .cfg;
  ASSERT_EQ(cfg.subprogs.size(), 3U);
  EXPECT_EQ(cfg.subprogs[1].begin, 5U);
  EXPECT_EQ(cfg.subprogs[1].end, 7U);
  EXPECT_EQ(cfg.subprogs[0].callees, (std::vector<SubprogId>{1, 2}));
  EXPECT_EQ(cfg.subprogs[1].callees, (std::vector<SubprogId>{2}));
  EXPECT_EQ(cfg.subprog_at(7), &cfg.subprogs[2]);
  EXPECT_EQ(cfg.subprog_at(6), nullptr);
  EXPECT_EQ(cfg.blocks[cfg.subprogs[2].entry].begin, 7U);
  EXPECT_TRUE(cfg.flaws.empty());
}

TEST(Cfg, MayGotoAndGotolAreJumps) {
  const Cfg cfg = program("loop: may_goto done\n gotol loop\n done: exit").cfg;
  ASSERT_EQ(cfg.blocks.size(), 3U);
  EXPECT_EQ(cfg.blocks[0].successors, (Edges{{1, kFall}, {2, kTaken}}));
  EXPECT_EQ(cfg.blocks[1].successors, (Edges{{0, kTaken}}));
  EXPECT_TRUE(cfg.flaws.empty());
}

TEST(Cfg, FlawsAreData) {
  EXPECT_EQ(flaws(""), Strings{"there is no instruction"});
  EXPECT_EQ(flaws("goto pc+9"), Strings{"insn 0: jump out of the program, to 10"});
  EXPECT_EQ(flaws("if r1 == 0 goto pc-2\n exit"), Strings{"insn 0: jump out of the program, to -1"});
  EXPECT_EQ(flaws("goto pc+1\n r1 = 1 ll\n exit"),
            (Strings{"insn 0: jump into the middle of a 64-bit immediate, to 2", "insn 1: unreachable code, up to 4"}));
  EXPECT_EQ(flaws("r0 = 0"), Strings{"insn 0: execution runs over the end of the subprogram, to 1"});
  EXPECT_EQ(flaws("if r1 == 0 goto pc-1"), Strings{"insn 0: execution runs over the end of the subprogram, to 1"});
  EXPECT_EQ(flaws("call pc+7\n exit"), Strings{"insn 0: call out of the program, to 8"});
  EXPECT_EQ(flaws("call pc-9\n exit"), Strings{"insn 0: call out of the program, to -8"});
  EXPECT_EQ(flaws("call pc+1\n r1 = 1 ll\n exit"), Strings{"insn 0: call into the middle of a 64-bit immediate, to 2"});
  EXPECT_EQ(flaws("call sub\n goto inner\n sub: r0 = 0\n inner: exit"),
            Strings{"insn 1: jump into another subprogram, to 3"});
  EXPECT_EQ(flaws("call sub\n r0 = 0\n sub: exit"),
            Strings{"insn 1: execution runs over the end of the subprogram, to 2"});
  EXPECT_EQ(flaws("exit\n r0 = 0\n goto pc-2"), Strings{"insn 1: unreachable code, up to 3"});
  EXPECT_EQ(
      flaws("exit\n .insn 0x18, 1, 0, 0, 0"),
      (Strings{"insn 1: 64-bit immediate without its second slot, to 2",
               "insn 1: execution runs over the end of the subprogram, to 2", "insn 1: unreachable code, up to 2"}));
}

// What cfg.h promises of any instruction stream.
void expect_sound(const std::vector<Insn>& insns, const Cfg& cfg) {
  std::size_t at = 0;
  for (BlockId id = 0; id < cfg.blocks.size(); ++id) {
    const Block& block = cfg.blocks[id];
    ASSERT_EQ(block.begin, at);
    ASSERT_LE(block.begin, block.last);
    ASSERT_LT(block.last, block.end);
    const Subprog& subprog = cfg.subprogs[block.subprog];
    ASSERT_TRUE(subprog.begin <= block.begin && block.end <= subprog.end);
    for (; at < block.end; ++at) ASSERT_EQ(cfg.block_of[at], id);
    for (const Edge& edge : block.successors) {
      ASSERT_EQ(cfg.blocks[edge.to].subprog, block.subprog);
      ASSERT_EQ(std::ranges::count(cfg.blocks[edge.to].predecessors, id), 1);
      ASSERT_TRUE(!block.reachable || cfg.blocks[edge.to].reachable);
      const auto target = edge.kind == EdgeKind::Taken
                              ? jump_target(decode(insns[block.last]), insns[block.last], block.last)
                              : std::optional<std::int64_t>(block.end);
      ASSERT_EQ(static_cast<std::int64_t>(cfg.blocks[edge.to].begin), target);
    }
  }
  ASSERT_EQ(at, insns.size());
  for (const Subprog& subprog : cfg.subprogs) {
    const std::set<BlockId> once(subprog.reverse_post_order.begin(), subprog.reverse_post_order.end());
    ASSERT_EQ(once.size(), subprog.reverse_post_order.size());
    for (const BlockId id : once) ASSERT_TRUE(cfg.blocks[id].reachable);
  }
}

TEST(Cfg, SoundForRandomPrograms) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Insn> insns(1 + random() % 24);
    for (Insn& insn : insns) {
      insn = encode(static_cast<Op>(random() % kOps));
      if (random() % 3 == 0) insn = encode(random() % 2 ? Op::JEq64Imm : Op::Goto);
      if (info(decode(insn)).select != Select::Off) insn.off = static_cast<std::int16_t>(random() % 40 - 20);
      if (info(decode(insn)).select != Select::Imm) insn.imm = static_cast<std::int32_t>(random() % 26) - 13;
    }
    const Cfg cfg = make_cfg(insns);
    ASSERT_NO_FATAL_FAILURE(expect_sound(insns, cfg)) << disassemble(insns);
    ASSERT_FALSE(to_dot(cfg, insns).empty());
  }
}

// In reverse post-order every block of a loop-free program comes after all its predecessors.
TEST(Cfg, ReversePostOrderIsTopologicalWithoutLoops) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<Insn> insns;
    for (std::size_t i = 0, n = 5 + random() % 30; i < n; ++i) {
      Insn insn = encode(random() % 2 ? Op::JNe64Imm : Op::Add64Imm);
      if (is_jump(decode(insn))) insn.off = static_cast<std::int16_t>(random() % (n - i));
      insns.push_back(insn);
    }
    insns.push_back(encode(Op::Exit));
    const Cfg cfg = make_cfg(insns);
    ASSERT_TRUE(cfg.flaws.empty());
    std::vector<std::size_t> place(cfg.blocks.size());
    const auto& order = cfg.subprogs[0].reverse_post_order;
    ASSERT_EQ(order.size(), cfg.blocks.size());
    for (std::size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    for (BlockId id = 0; id < cfg.blocks.size(); ++id)
      for (const Edge& edge : cfg.blocks[id].successors) ASSERT_LT(place[id], place[edge.to]);
  }
}

// Hostile shapes that a careless search would take quadratic time for.
TEST(Cfg, LongProgramsTakeLinearTime) {
  constexpr int kCalls = 250'000;
  std::vector<Insn> insns(kCalls, Insn{0x85, 0, 1, 0, kCalls - 1});  // each calls another one-liner
  insns.resize(std::size_t{kCalls} * 2, encode(Op::Exit));
  const Cfg cfg = make_cfg(insns);
  EXPECT_EQ(cfg.subprogs.size(), kCalls + 1U);
  EXPECT_EQ(cfg.subprogs[0].callees.size(), std::size_t{kCalls});
}

class Awkward : public Names {
 public:
  std::string subprog(std::size_t) const override { return "a\"b\\c"; }
  std::string source(std::size_t index) const override { return index == 0 ? "puts(\"x\\n\");\x01" : ""; }
};

TEST(Dot, QuotesAndShapes) {
  const auto [insns, cfg] = program("if r1 > 5 goto end\n r0 = 1\n exit\n r0 = 9\n end: exit");
  EXPECT_EQ(to_dot(cfg, insns, Awkward(), {.index_width = 0}),
            "digraph program {\n"
            "  node [shape=box,fontname=monospace];\n"
            "  subgraph cluster_0 {\n"
            "    label=\"a\\\"b\\\\c\";\n"
            "    b0 [label=\"; puts(\\\"x\\\\n\\\");\\l0: (25) if r1 > 0x5 goto pc+3\\l\"];\n"
            "    b0 -> b1;\n"
            "    b0 -> b3 [label=\"taken\"];\n"
            "    b1 [label=\"1: (b7) r0 = 1\\l2: (95) exit\\l\"];\n"
            "    b2 [label=\"3: (b7) r0 = 9\\l\",style=dashed,color=gray];\n"
            "    b2 -> b3;\n"
            "    b3 [label=\"4: (95) exit\\l\"];\n"
            "  }\n"
            "}\n");
}

}  // namespace
}  // namespace skep::isa
