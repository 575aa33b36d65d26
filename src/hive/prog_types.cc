#include "hive/prog_types.h"

#include <algorithm>
#include <array>
#include <span>

namespace skep::hive {
namespace {

using spec::AttachType;
using spec::ProgType;

enum Needs : std::uint8_t { kNothing = 0, kBpf = 1, kNetAdmin = 2, kPerfmon = 4 };

// Attach types per program type. A type without a row takes any number and ignores it.
constexpr AttachType kSock[] = {AttachType::CgroupInetSockCreate, AttachType::CgroupInetSockRelease,
                                AttachType::CgroupInet4PostBind, AttachType::CgroupInet6PostBind};
constexpr AttachType kSockAddr[] = {
    AttachType::CgroupInet4Bind,        AttachType::CgroupInet6Bind,       AttachType::CgroupInet4Connect,
    AttachType::CgroupInet6Connect,     AttachType::CgroupUnixConnect,     AttachType::CgroupInet4Getpeername,
    AttachType::CgroupInet6Getpeername, AttachType::CgroupUnixGetpeername, AttachType::CgroupInet4Getsockname,
    AttachType::CgroupInet6Getsockname, AttachType::CgroupUnixGetsockname, AttachType::CgroupUdp4Sendmsg,
    AttachType::CgroupUdp6Sendmsg,      AttachType::CgroupUnixSendmsg,     AttachType::CgroupUdp4Recvmsg,
    AttachType::CgroupUdp6Recvmsg,      AttachType::CgroupUnixRecvmsg,
};
constexpr AttachType kCgroupSkb[] = {AttachType::CgroupInetIngress, AttachType::CgroupInetEgress};
constexpr AttachType kSockopt[] = {AttachType::CgroupGetsockopt, AttachType::CgroupSetsockopt};
constexpr AttachType kSkLookup[] = {AttachType::SkLookup};
constexpr AttachType kReuseport[] = {AttachType::SkReuseportSelect, AttachType::SkReuseportSelectOrMigrate};
constexpr AttachType kNetfilter[] = {AttachType::Netfilter};
constexpr AttachType kNone[] = {AttachType{0}};

struct Row {
  ProgType type;
  std::uint8_t needs;
  std::span<const AttachType> attach_types;  // empty: any
};
constexpr Row kRows[] = {
    {ProgType::SocketFilter, kNothing, {}},
    {ProgType::CgroupSkb, kNothing, kCgroupSkb},
    {ProgType::SkReuseport, kBpf, kReuseport},
    {ProgType::SchedCls, kBpf | kNetAdmin, {}},
    {ProgType::SchedAct, kBpf | kNetAdmin, {}},
    {ProgType::Xdp, kBpf | kNetAdmin, {}},
    {ProgType::LwtIn, kBpf | kNetAdmin, {}},
    {ProgType::LwtOut, kBpf | kNetAdmin, {}},
    {ProgType::LwtXmit, kBpf | kNetAdmin, {}},
    {ProgType::LwtSeg6local, kBpf | kNetAdmin, {}},
    {ProgType::SkSkb, kBpf | kNetAdmin, {}},
    {ProgType::SkMsg, kBpf | kNetAdmin, {}},
    {ProgType::FlowDissector, kBpf | kNetAdmin, {}},
    {ProgType::CgroupDevice, kBpf | kNetAdmin, {}},
    {ProgType::CgroupSock, kBpf | kNetAdmin, kSock},
    {ProgType::CgroupSockAddr, kBpf | kNetAdmin, kSockAddr},
    {ProgType::CgroupSockopt, kBpf | kNetAdmin, kSockopt},
    {ProgType::CgroupSysctl, kBpf | kNetAdmin, {}},
    {ProgType::SockOps, kBpf | kNetAdmin, {}},
    {ProgType::Netfilter, kBpf | kNetAdmin, kNetfilter},
    {ProgType::SkLookup, kBpf, kSkLookup},
    {ProgType::Kprobe, kBpf | kPerfmon, {}},
    {ProgType::Tracepoint, kBpf | kPerfmon, {}},
    {ProgType::PerfEvent, kBpf | kPerfmon, {}},
    {ProgType::RawTracepoint, kBpf | kPerfmon, {}},
    {ProgType::RawTracepointWritable, kBpf | kPerfmon, {}},
    {ProgType::Tracing, kBpf | kPerfmon, {}},
    {ProgType::Lsm, kBpf | kPerfmon, {}},
    {ProgType::StructOps, kBpf | kPerfmon, {}},
    {ProgType::Ext, kBpf | kPerfmon | kNetAdmin, kNone},
    {ProgType::Syscall, kBpf, kNone},
    {ProgType::LircMode2, kBpf, {}},
};

const Row* row(ProgType type) noexcept {
  const Row* found = std::ranges::find(kRows, type, &Row::type);
  return found == std::end(kRows) ? nullptr : found;
}

}  // namespace

bool permitted(ProgType type, const Privilege& privilege) noexcept {
  const Row* found = row(type);
  const unsigned needs = found == nullptr ? unsigned{kBpf} : found->needs;
  if ((needs & kBpf) != 0 && !privilege.bpf) return false;
  if ((needs & kNetAdmin) != 0 && !privilege.net_admin) return false;
  return (needs & kPerfmon) == 0 || privilege.perfmon;
}

std::uint32_t default_attach_type(ProgType type, std::uint32_t attach_type) noexcept {
  if (attach_type != 0) return attach_type;
  if (type == ProgType::CgroupSock) return std::to_underlying(AttachType::CgroupInetSockCreate);
  return type == ProgType::SkReuseport ? std::to_underlying(AttachType::SkReuseportSelect) : 0;
}

bool takes_attach_type(ProgType type, std::uint32_t attach_type) noexcept {
  const Row* found = row(type);
  if (found == nullptr || found->attach_types.empty()) return true;
  return std::ranges::find(found->attach_types, AttachType{attach_type}) != found->attach_types.end();
}

bool attaches_to_btf(ProgType type) noexcept {
  return type == ProgType::Tracing || type == ProgType::Lsm || type == ProgType::StructOps || type == ProgType::Ext;
}

}  // namespace skep::hive
