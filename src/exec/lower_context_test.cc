// Lowering: what each access becomes, what is refused. That the result is right is tests of interp/ against values.
#include <cstddef>

#include "exec/context_model.h"
#include "exec/testing.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

#include <fmt/format.h>

namespace skep::exec {
namespace {

using packet::SkBuff;
using packet::XdpBuff;
using spec::ProgType;
using testing::canonical;
using testing::listing;
using testing::refusal;
using testing::source;

std::string lowered(std::string_view text, ProgType type) {
  const auto image = assume_verified(source(text, type), "test");
  return image ? listing(image->insns) : image.error().message;
}

struct Case {
  ProgType type;
  std::string program;
  std::string expected;  // instructions
};

std::string access(std::string_view pattern, std::size_t offset) { return fmt::format(fmt::runtime(pattern), offset); }

TEST(LowerContext, Fields) {
  const Case cases[] = {
      {ProgType::Xdp, "r2 = *(u32 *)(r1 +0)\nexit", access("r2 = *(u64 *)(r1 +{})\nexit", offsetof(XdpBuff, data))},
      {ProgType::Xdp, "r2 = *(u32 *)(r1 +4)\nexit", access("r2 = *(u64 *)(r1 +{})\nexit", offsetof(XdpBuff, data_end))},
      {ProgType::Xdp, "r1 = *(u32 *)(r1 +8)\nexit",
       access("r1 = *(u64 *)(r1 +{})\nexit", offsetof(XdpBuff, data_meta))},
      {ProgType::Xdp, "r2 = *(u32 *)(r1 +16)\nexit",
       access("r2 = *(u32 *)(r1 +{})\nexit", offsetof(XdpBuff, rx_queue_index))},
      {ProgType::SchedCls, "r2 = *(u32 *)(r1 +0)\nexit", access("r2 = *(u32 *)(r1 +{})\nexit", offsetof(SkBuff, len))},
      {ProgType::SchedCls, "r2 = *(u16 *)(r1 +2)\nexit",
       access("r2 = *(u16 *)(r1 +{})\nexit", offsetof(SkBuff, len) + 2)},
      {ProgType::SchedCls, "r2 = *(s8 *)(r1 +11)\nexit",
       access("r2 = *(s8 *)(r1 +{})\nexit", offsetof(SkBuff, mark) + 3)},
      {ProgType::SchedCls, "r2 = *(u32 *)(r1 +76)\nexit",
       access("r2 = *(u64 *)(r1 +{})\nexit", offsetof(SkBuff, data))},
      {ProgType::SchedCls, "*(u32 *)(r1 +8) = r3\nexit", access("*(u32 *)(r1 +{}) = r3\nexit", offsetof(SkBuff, mark))},
      {ProgType::SchedCls, "*(u32 *)(r1 +8) = 7\nexit", access("*(u32 *)(r1 +{}) = 7\nexit", offsetof(SkBuff, mark))},
      {ProgType::SchedCls, "*(u32 *)(r1 +44) = r3\nexit",
       access("*(u16 *)(r1 +{}) = r3\nexit", offsetof(SkBuff, tc_index))},
      {ProgType::SchedCls, "*(u32 *)(r1 +12) = r3\nexit",
       access("if r3 >= 65535 goto pc+1\n*(u16 *)(r1 +{}) = r3\nexit", offsetof(SkBuff, queue_mapping))},
      {ProgType::SchedCls, "*(u32 *)(r1 +12) = 5\nexit",
       access("*(u16 *)(r1 +{}) = 5\nexit", offsetof(SkBuff, queue_mapping))},
      {ProgType::SchedCls, "*(u32 *)(r1 +12) = 65535\nexit", "goto pc+0\nexit"},
      {ProgType::SchedCls, "*(u8 *)(r1 +53) = 1\nr2 = *(u64 *)(r1 +56)\nexit",
       fmt::format("*(u8 *)(r1 +{}) = 1\nr2 = *(u64 *)(r1 +{})\nexit", offsetof(SkBuff, cb) + 5,
                   offsetof(SkBuff, cb) + 8)},
      {ProgType::SchedCls, "*(u64 *)(r1 +152) = r3\nexit",
       access("*(u64 *)(r1 +{}) = r3\nexit", offsetof(SkBuff, tstamp))},
      {ProgType::SocketFilter, "r7 = *(u64 *)(r1 +168)\nexit", "r7 = 0\nexit"},
      {ProgType::SocketFilter, "*(u32 *)(r1 +48) = r3\nexit",
       access("*(u32 *)(r1 +{}) = r3\nexit", offsetof(SkBuff, cb))},
  };
  for (const Case& row : cases) EXPECT_EQ(lowered(row.program, row.type), canonical(row.expected)) << row.program;
}

TEST(LowerContext, Refusals) {
  const Case cases[] = {
      {ProgType::Xdp, "r2 = *(u64 *)(r1 +0)\nexit", "instruction 0 (Load64): invalid bpf_context access off=0 size=8"},
      {ProgType::Xdp, "*(u32 *)(r1 +0) = 1\nexit",
       "instruction 0 (StoreImm32): invalid bpf_context access off=0 size=4"},
      {ProgType::Xdp, "r2 = *(u32 *)(r1 +20)\nexit",
       "instruction 0 (Load32): invalid bpf_context access off=20 size=4"},
      {ProgType::Xdp, "r2 = *(s32 *)(r1 +0)\nexit",
       "instruction 0 (LoadSx32): invalid bpf_context access off=0 size=4"},
      {ProgType::Xdp, "r2 = *(u32 *)(r1 -4)\nexit", "instruction 0 (Load32): invalid bpf_context access off=-4 size=4"},
      {ProgType::SocketFilter, "r2 = *(u32 *)(r1 +76)\nexit",
       "instruction 0 (Load32): invalid bpf_context access off=76 size=4"},
      {ProgType::FlowDissector, "r2 = *(u64 *)(r1 +144)\nexit",
       "instruction 0 (Load64): context field flow_keys has no value here"},
      {ProgType::Xdp, "call 4711\nexit", "instruction 0 (CallHelper): invalid func unknown#4711"},
      {ProgType::Xdp, "call bpf_skb_load_bytes#26\nexit",
       "instruction 0 (CallHelper): program of this type cannot use helper bpf_skb_load_bytes#26"},
      {ProgType::Xdp, "r6 = r1\nr0 = *(u8 *)skb[0]\nexit",
       "instruction 1 (LdAbs8): BPF_LD_[ABS|IND] instructions not allowed for this program type"},
  };
  for (const Case& row : cases) EXPECT_EQ(lowered(row.program, row.type), row.expected) << row.program;
}

TEST(LowerContext, DeadCallsAreNotLookedAt) {
  EXPECT_EQ(refusal(assume_verified(source("r2 = 1\nif r2 != 0 goto pc+1\ncall 195896080\nr0 = 2\nexit", ProgType::Xdp),
                                    "test")),
            "accepted");
}

TEST(LowerContext, WhatNamesInstructionsMovesWithThem) {
  Source made = source(
      "*(u32 *)(r1 +12) = r1\nr2 = map[id:7]\nr3 = map[id:9][0]+16\ncall pc+1\nexit\n"
      "r0 = *(u32 *)(r1 +0)\ncall bpf_ktime_get_ns#5\nexit",
      ProgType::SchedCls);
  made.lines = {{0, 1, 1, "a.c", "first"}, {5, 2, 1, "a.c", "call"}, {7, 3, 1, "a.c", "called"}};
  const auto image = assume_verified(made, "test");
  ASSERT_TRUE(image) << image.error().message;
  std::string where;
  for (const Relocation& relocation : image->relocations)
    where += fmt::format("{}:{}+{} ", relocation.insn, relocation.id, relocation.offset);
  EXPECT_EQ(where, "2:7+0 4:9+16 9:5+0 ");
  EXPECT_EQ(image->subprograms[1].start, 8U);
  EXPECT_EQ(image->lines[1].insn, 6U);
  EXPECT_EQ(image->lines[2].insn, 8U);
}

TEST(LowerContext, LinesBehindTheEnd) {
  Source made = source("r0 = 0\nexit");
  made.lines = {{2, 1, 1, "a.c", ""}};
  EXPECT_EQ(refusal(assume_verified(made, "test")), "source line 1 belongs to instruction 2 of 2");
}

TEST(LowerContext, UsesCpu) {
  const std::pair<const char*, bool> cases[] = {{"exit", false},
                                                {"call bpf_ktime_get_ns#5\nexit", false},
                                                {"call bpf_get_smp_processor_id#8\nexit", true},
                                                {"call bpf_map_lookup_elem#1\nexit", true},
                                                {"call bpf_tail_call#12\nexit", true}};
  for (const auto& [text, uses] : cases)
    EXPECT_EQ(assume_verified(source(text, ProgType::Xdp), "test")->uses_cpu, uses) << text;
}

// Every field that supported programs may read or write has a place in the model, large enough for it.
TEST(ContextModel, CoversTheTable) {
  for (const ProgType type : {ProgType::Xdp, ProgType::SocketFilter, ProgType::SchedCls, ProgType::SchedAct})
    for (const spec::ContextField& field : spec::fields(spec::context_of(type))) {
      if (!((field.readers | field.writers) & spec::prog_types(type))) continue;
      const ModelField* model = find_model(field.source);
      ASSERT_NE(model, nullptr) << field.name;
      if (model->bytes != 0) {
        EXPECT_GE(model->bytes, field.bytes) << field.name;
      }
      EXPECT_EQ(model->store != FieldStore::None, (field.writers & spec::prog_types(ProgType::SchedCls)) != 0)
          << field.name;
    }
}

}  // namespace
}  // namespace skep::exec
