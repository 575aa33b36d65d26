#include "spec/context.h"

#include <gtest/gtest.h>

#include "spec/prog_rules.h"
#include "spec/testing_load.h"

namespace skep::spec {
namespace {

TEST(Context, FieldsLieInOrderWithoutOverlap) {
  for (auto number = static_cast<int>(ContextKind::Xdp); number <= static_cast<int>(ContextKind::Device); ++number) {
    const auto kind = static_cast<ContextKind>(number);
    std::uint32_t end = 0;
    EXPECT_FALSE(fields(kind).empty());
    for (const ContextField& field : fields(kind)) {
      EXPECT_EQ(field.context, kind);
      EXPECT_GE(field.offset, end) << field.name;
      end = field.offset + field.bytes;
    }
  }
  EXPECT_TRUE(fields(ContextKind::None).empty());
}

TEST(Context, OffsetsAreThoseOfTheStructures) {
  EXPECT_EQ(find_field(ContextKind::Xdp, offsetof(XdpMd, rx_queue_index))->name, "rx_queue_index");
  EXPECT_EQ(find_field(ContextKind::SkBuff, offsetof(SkBuffMd, cb) + 19)->name, "cb");
  EXPECT_EQ(find_field(ContextKind::SkBuff, offsetof(SkBuffMd, hash))->name, "hash");
  EXPECT_EQ(find_field(ContextKind::SkBuff, offsetof(SkBuffMd, local_ip6) + 12)->name, "local_ip6");
  EXPECT_EQ(find_field(ContextKind::SkBuff, offsetof(SkBuffMd, sk))->kind, FieldKind::SockCommonOrNull);
  EXPECT_EQ(find_field(ContextKind::SkBuff, offsetof(SkBuffMd, pad)), nullptr);
  EXPECT_EQ(find_field(ContextKind::SkBuff, sizeof(SkBuffMd)), nullptr);
  EXPECT_EQ(find_field(ContextKind::SkBuff, -4), nullptr);
}

TEST(Context, AnErrorSaysWhere) {
  const auto result = check_access({.type = ProgType::Xdp, .offset = 2, .size = 2});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, EACCES);
  EXPECT_EQ(result.error().message, "invalid bpf_context access off=2 size=2");
}

TEST(Context, PacketOfCgroupProgramsNeedsCapBpf) {
  const ContextAccess access{.type = ProgType::CgroupSkb, .offset = 76, .size = 4};
  EXPECT_TRUE(check_access(access));
  EXPECT_FALSE(check_access(access, {.bpf = false, .perfmon = false}));
}

// ---- against the running kernel

struct Case {
  ProgType type;
  AttachType attach = AttachType::CgroupInetIngress;
  std::uint32_t flags = 0;
  std::int32_t from = -8;  // offsets tried
  std::int32_t to = 200;
};

std::uint8_t size_bits(std::uint32_t size) {
  switch (size) {
    case 1: return 0x10;
    case 2: return 0x08;
    case 4: return 0x00;
    default: return 0x18;
  }
}

// One access through r1, then return a value that the type allows.
testing::Program program_with(const ContextAccess& access, std::uint32_t flags) {
  const std::uint8_t width = size_bits(access.size);
  const auto off = static_cast<std::int16_t>(access.offset);
  const isa::Insn load{.code = static_cast<std::uint8_t>(0x61 | width), .dst = 6, .src = 1, .off = off};
  const isa::Insn store{.code = static_cast<std::uint8_t>(0x63 | width), .dst = 1, .src = 0, .off = off};
  const isa::Insn zero{.code = 0xb7};
  const isa::Insn result{.code = 0xb7, .imm = return_range(access.type, access.attach).contains(0) ? 0 : 1};
  const isa::Insn exit{.code = 0x95};
  const isa::Insn touch = access.direction == Direction::Read ? load : store;
  return {access.type, access.attach, {zero, touch, result, exit}, flags};
}

// The number of accesses the kernel accepted.
unsigned compare(const Case& c) {
  unsigned accepted = 0;
  for (const Direction direction : {Direction::Read, Direction::Write}) {
    for (const std::uint32_t size : {1U, 2U, 4U, 8U}) {
      for (std::int32_t offset = c.from; offset < c.to; ++offset) {
        const ContextAccess access{c.type, c.attach, offset, size, direction};
        const testing::Verdict verdict = testing::load_into_kernel(program_with(access, c.flags));
        accepted += verdict.error == 0;
        EXPECT_EQ(check_access(access).has_value(), verdict.error == 0)
            << name(c.type) << (direction == Direction::Read ? " read of " : " write of ") << size << " bytes at "
            << offset << "\n"
            << verdict.log;
      }
    }
  }
  return accepted;
}

// Before a tracepoint's record Linux 6.18 lets programs read; here they may not, so negative offsets are left out
// there.
TEST(Context, TheKernelAgrees) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& c :
       {Case{ProgType::Xdp}, Case{ProgType::Xdp, AttachType::XdpDevmap}, Case{ProgType::SocketFilter},
        Case{ProgType::SchedCls}, Case{ProgType::SchedAct}, Case{ProgType::CgroupSkb}, Case{ProgType::LwtIn},
        Case{ProgType::LwtXmit}, Case{ProgType::LwtSeg6local}, Case{ProgType::SkSkb}, Case{ProgType::FlowDissector},
        Case{ProgType::PerfEvent}, Case{ProgType::RawTracepoint}, Case{ProgType::Tracepoint, {}, 0, 0},
        Case{ProgType::Kprobe}, Case{ProgType::Syscall, {}, kSleepable}}) {
    EXPECT_GT(compare(c), 0U) << name(c.type);
  }
}

TEST(Context, TheKernelAgreesOnSocketsAndControlGroups) {
  SKEP_NEEDS_KERNEL_BPF();
  using enum AttachType;
  const std::pair<ProgType, std::vector<AttachType>> cases[] = {
      {ProgType::CgroupSock, {CgroupInetSockCreate, CgroupInetSockRelease, CgroupInet4PostBind, CgroupInet6PostBind}},
      {ProgType::CgroupSockAddr,
       {CgroupInet4Bind, CgroupInet6Connect, CgroupUdp4Sendmsg, CgroupUdp6Sendmsg, CgroupUdp4Recvmsg,
        CgroupInet6Getpeername, CgroupInet4Getsockname, CgroupUnixConnect}},
      {ProgType::SockOps, {CgroupSockOps}},
      {ProgType::SkMsg, {SkMsgVerdict}},
      {ProgType::SkReuseport, {SkReuseportSelect, SkReuseportSelectOrMigrate}},
      {ProgType::CgroupSysctl, {AttachType::CgroupSysctl}},
      {ProgType::CgroupSockopt, {CgroupGetsockopt, CgroupSetsockopt}},
      {ProgType::SkLookup, {AttachType::SkLookup}},
      {ProgType::CgroupDevice, {AttachType::CgroupDevice}},
  };
  for (const auto& [type, attach_types] : cases)
    for (const AttachType attach : attach_types)
      EXPECT_GT(compare({.type = type, .attach = attach, .to = 230}), 0U) << name(type) << " " << name(attach);
}

}  // namespace
}  // namespace skep::spec
