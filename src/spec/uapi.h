// The contexts that packet programs see and the constants of bpf(2) that are not enumerations of their own.
//
// Together with attr.h and info.h this is the binary interface of Linux 6.12 as far as skep speaks it; map flags are in
// map_spec.h. It does not include linux/bpf.h: that header is as old or new as the machine.
// Source: linux/bpf.h and linux/pkt_cls.h, Linux 6.12. Tested by: spec/uapi_test.cc (against linux/bpf.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "spec/attr.h"
#include "spec/info.h"

namespace skep::spec {

// ---- contexts
struct XdpMd {
  std::uint32_t data;
  std::uint32_t data_end;
  std::uint32_t data_meta;
  std::uint32_t ingress_ifindex;
  std::uint32_t rx_queue_index;
  std::uint32_t egress_ifindex;
};
static_assert(sizeof(XdpMd) == 24);

struct SkBuffMd {  // struct __sk_buff
  std::uint32_t len;
  std::uint32_t pkt_type;
  std::uint32_t mark;
  std::uint32_t queue_mapping;
  std::uint32_t protocol;
  std::uint32_t vlan_present;
  std::uint32_t vlan_tci;
  std::uint32_t vlan_proto;
  std::uint32_t priority;
  std::uint32_t ingress_ifindex;
  std::uint32_t ifindex;
  std::uint32_t tc_index;
  std::uint32_t cb[5];
  std::uint32_t hash;
  std::uint32_t tc_classid;
  std::uint32_t data;
  std::uint32_t data_end;
  std::uint32_t napi_id;
  std::uint32_t family;
  std::uint32_t remote_ip4;
  std::uint32_t local_ip4;
  std::uint32_t remote_ip6[4];
  std::uint32_t local_ip6[4];
  std::uint32_t remote_port;
  std::uint32_t local_port;
  std::uint32_t data_meta;
  std::uint64_t flow_keys;  // a pointer
  std::uint64_t tstamp;
  std::uint32_t wire_len;
  std::uint32_t gso_segs;
  std::uint64_t sk;  // a pointer
  std::uint32_t gso_size;
  std::uint8_t tstamp_type;
  std::uint8_t pad[3];
  std::uint64_t hwtstamp;
};
static_assert(sizeof(SkBuffMd) == 192);

// ---- BPF_PROG_LOAD: prog_flags and log_level
enum ProgFlag : std::uint32_t {
  kStrictAlignment = 1U << 0,
  kAnyAlignment = 1U << 1,
  kTestRndHi32 = 1U << 2,
  kTestStateFreq = 1U << 3,
  kSleepable = 1U << 4,
  kXdpHasFrags = 1U << 5,
  kXdpDevBoundOnly = 1U << 6,
  kTestRegInvariants = 1U << 7,
  kProgTokenFd = 1U << 16,  // BPF_F_TOKEN_FD
};
enum LogLevel : std::uint32_t { kLogBranches = 1, kLogStates = 2, kLogStats = 4, kLogFixed = 8 };

// Instructions a program may have without CAP_BPF; with it isa::kMaxInsns.
inline constexpr std::uint32_t kMaxInsnsUnprivileged = 4096;

// ---- BPF_PROG_TEST_RUN: flags
enum TestRunFlag : std::uint32_t {
  kTestRunOnCpu = 1U << 0,
  kTestXdpLiveFrames = 1U << 1,
  kTestSkbChecksumComplete = 1U << 2,
};

// ---- BPF_PROG_ATTACH: attach_flags; BPF_PROG_QUERY: query_flags; BPF_LINK_UPDATE: flags
enum AttachFlag : std::uint32_t {
  kAllowOverride = 1U << 0,
  kAllowMulti = 1U << 1,
  kReplace = 1U << 2,
  kBefore = 1U << 3,
  kAfter = 1U << 4,
  kId = 1U << 5,
  kPreorder = 1U << 6,
  kAttachLink = 1U << 13,
};
enum QueryFlag : std::uint32_t { kQueryEffective = 1U << 0 };

// ---- BPF_ENABLE_STATS: type
enum class StatsType : std::uint32_t { RunTime = 0 };

// ---- verdicts
enum class XdpAction : std::uint32_t { Aborted = 0, Drop = 1, Pass = 2, Tx = 3, Redirect = 4 };
enum class TcAction : std::int32_t {
  Unspec = -1,
  Ok = 0,
  Reclassify = 1,
  Shot = 2,
  Pipe = 3,
  Stolen = 4,
  Queued = 5,
  Repeat = 6,
  Redirect = 7,
  Trap = 8,
};

// ---- flags of helpers. One enumeration per family; the number means nothing outside of it.
enum SkbStoreFlag : std::uint64_t { kRecomputeCsum = 1U << 0, kInvalidateHash = 1U << 1 };
enum CsumReplaceFlag : std::uint64_t {
  kHdrFieldMask = 0xf,  // width of the replaced field in bytes
  kPseudoHdr = 1U << 4,
  kMarkMangled0 = 1U << 5,
  kMarkEnforce = 1U << 6,
};
enum class CsumLevel : std::uint64_t { Query = 0, Inc = 1, Dec = 2, Reset = 3 };
enum RedirectFlag : std::uint64_t { kIngress = 1U << 0, kBroadcast = 1U << 3, kExcludeIngress = 1U << 4 };
enum TunnelFlag : std::uint64_t {
  kTuninfoIpv6 = 1U << 0,
  kZeroCsumTx = 1U << 1,
  kDontFragment = 1U << 2,
  kSeqNumber = 1U << 3,
  kNoTunnelKey = 1U << 4,
};
enum AdjustRoomFlag : std::uint64_t {
  kFixedGso = 1U << 0,
  kEncapL3Ipv4 = 1U << 1,
  kEncapL3Ipv6 = 1U << 2,
  kEncapL4Gre = 1U << 3,
  kEncapL4Udp = 1U << 4,
  kNoCsumReset = 1U << 5,
  kEncapL2Eth = 1U << 6,
  kDecapL3Ipv4 = 1U << 7,
  kDecapL3Ipv6 = 1U << 8,
};
inline constexpr unsigned kEncapL2Shift = 56;  // length of an encapsulated link-layer header, 8 bits
enum class AdjustRoomMode : std::uint32_t { Net = 0, Mac = 1 };
enum class HeaderStart : std::uint32_t { Mac = 0, Net = 1 };  // skb_load_bytes_relative
// perf_event_output and perf_event_read: index of the slot, and bytes of packet to append.
inline constexpr std::uint64_t kIndexMask = 0xffffffff;
inline constexpr std::uint64_t kCurrentCpu = kIndexMask;
inline constexpr std::uint64_t kCtxlenMask = 0xfffffULL << 32;
enum StackFlag : std::uint64_t {
  kSkipFieldMask = 0xff,
  kUserStack = 1U << 8,
  kFastStackCmp = 1U << 9,
  kReuseStackid = 1U << 10,
  kUserBuildId = 1U << 11,
};
enum RingbufFlag : std::uint64_t { kNoWakeup = 1U << 0, kForceWakeup = 1U << 1 };
enum class RingbufQuery : std::uint64_t { AvailData = 0, RingSize = 1, ConsPos = 2, ProdPos = 3 };
inline constexpr std::uint32_t kRingbufBusyBit = 1U << 31;
inline constexpr std::uint32_t kRingbufDiscardBit = 1U << 30;
inline constexpr std::uint32_t kRingbufHdrBytes = 8;
enum TimerFlag : std::uint64_t { kTimerAbs = 1U << 0, kTimerCpuPin = 1U << 1 };
inline constexpr std::uint32_t kMaxLoops = 1U << 23;  // bpf_loop

}  // namespace skep::spec
