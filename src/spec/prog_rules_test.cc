#include "spec/prog_rules.h"

#include <gtest/gtest.h>

#include "base/errno.h"
#include "spec/testing_load.h"

namespace skep::spec {
namespace {

TEST(ProgRules, EveryTypeHasARow) {
  EXPECT_EQ(test_run(ProgType::Xdp), TestRun::Packet);
  EXPECT_EQ(test_run(ProgType::Kprobe), TestRun::None);
  EXPECT_TRUE(return_range(ProgType::Xdp, AttachType::Xdp).any());
  EXPECT_FALSE(return_range(ProgType::Netfilter, AttachType::Netfilter).contains(2));
}

TEST(ProgRules, WhoMayTouchThePacket) {
  EXPECT_EQ(packet_rights(ProgType::Xdp), PacketRights::ReadWrite);
  EXPECT_EQ(packet_rights(ProgType::CgroupSkb), PacketRights::Read);
  EXPECT_EQ(packet_rights(ProgType::SocketFilter), PacketRights::None);
  EXPECT_TRUE(has_plain_context(ProgType::Syscall));
  EXPECT_FALSE(has_plain_context(ProgType::PerfEvent));
}

struct Case {
  ProgType type;
  AttachType attach = AttachType::CgroupInetIngress;
  std::uint32_t flags = 0;
};

std::vector<Case> cases() {
  using enum AttachType;
  std::vector<Case> all{{ProgType::SocketFilter},
                        {ProgType::Kprobe},
                        {ProgType::Kprobe, TraceKprobeSession},
                        {ProgType::SchedCls},
                        {ProgType::SchedAct},
                        {ProgType::Tracepoint},
                        {ProgType::Xdp, AttachType::Xdp},
                        {ProgType::PerfEvent},
                        {ProgType::CgroupSkb, CgroupInetIngress},
                        {ProgType::CgroupSkb, CgroupInetEgress},
                        {ProgType::CgroupSock, CgroupInetSockCreate},
                        {ProgType::LwtIn},
                        {ProgType::LwtOut},
                        {ProgType::LwtXmit},
                        {ProgType::SockOps, CgroupSockOps},
                        {ProgType::SkSkb, SkSkbStreamVerdict},
                        {ProgType::CgroupDevice, AttachType::CgroupDevice},
                        {ProgType::SkMsg, SkMsgVerdict},
                        {ProgType::RawTracepoint},
                        {ProgType::LwtSeg6local},
                        {ProgType::SkReuseport, SkReuseportSelect},
                        {ProgType::FlowDissector},
                        {ProgType::CgroupSysctl, AttachType::CgroupSysctl},
                        {ProgType::RawTracepointWritable},
                        {ProgType::CgroupSockopt, CgroupGetsockopt},
                        {ProgType::SkLookup, AttachType::SkLookup},
                        {ProgType::Syscall, {}, kSleepable},
                        {ProgType::Netfilter, AttachType::Netfilter}};
  for (const AttachType attach :
       {CgroupInet4Bind, CgroupInet6Bind, CgroupInet4Connect, CgroupInet6Connect, CgroupUdp4Sendmsg, CgroupUdp6Sendmsg,
        CgroupUdp4Recvmsg, CgroupUdp6Recvmsg, CgroupInet4Getpeername, CgroupInet6Getpeername, CgroupInet4Getsockname,
        CgroupInet6Getsockname, CgroupUnixConnect, CgroupUnixSendmsg, CgroupUnixRecvmsg, CgroupUnixGetpeername,
        CgroupUnixGetsockname})
    all.push_back({ProgType::CgroupSockAddr, attach});
  return all;
}

testing::Program returning(const Case& c, std::int32_t value) {
  return {c.type, c.attach, {{.code = 0xb7, .imm = value}, {.code = 0x95}}, c.flags};
}

TEST(ProgRules, TheKernelAgreesOnWhatMayBeReturned) {
  SKEP_NEEDS_KERNEL_BPF();
  unsigned refused = 0;
  for (const Case& c : cases()) {
    for (const std::int32_t value : {-1, 0, 1, 2, 3, 4, 1000}) {
      const testing::Verdict verdict = testing::load_into_kernel(returning(c, value));
      refused += verdict.error != 0;
      EXPECT_EQ(return_range(c.type, c.attach).contains(value), verdict.error == 0)
          << name(c.type) << " " << name(c.attach) << " returns " << value << "\n"
          << verdict.log;
    }
  }
  EXPECT_GT(refused, 50U);
}

TEST(ProgRules, TheKernelAgreesOnWhatCanBeTried) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const Case& c : cases()) {
    const std::int32_t value = return_range(c.type, c.attach).contains(0) ? 0 : 1;
    const Fd prog = testing::load_fd(returning(c, value));
    ASSERT_TRUE(prog) << name(c.type);
    Attr attr{};
    attr.test.prog_fd = static_cast<std::uint32_t>(prog.get());
    attr.test.data_size_in = 1;  // too little for every type that takes packets, and more than others take
    const long result = btf::testing::kernel_bpf(static_cast<std::uint32_t>(Command::ProgTestRun), &attr, sizeof attr);
    EXPECT_EQ(result == -kNotSupported, test_run(c.type) == TestRun::None) << name(c.type) << " " << result;
  }
}

}  // namespace
}  // namespace skep::spec
