#include "judge/targets.h"

#include <vector>

#include "spec/uapi.h"

namespace skep::judge {
namespace {

using enum spec::ProgType;
using A = spec::AttachType;

constexpr auto kPlain = A::CgroupInetIngress;
constexpr Target kTargets[] = {
    {.type = SchedCls, .attach = kPlain, .data = 76, .data_end = 80, .data_meta = 140, .loads_packet = true},
    {.type = Xdp, .attach = kPlain, .data = 0, .data_end = 4, .data_meta = 8},
    {.type = CgroupSkb, .attach = kPlain, .data = 76, .data_end = 80, .writes_packet = false, .largest_result = 1},
    {.type = CgroupSkb,
     .attach = A::CgroupInetEgress,
     .data = 76,
     .data_end = 80,
     .writes_packet = false,
     .largest_result = 3},
    {.type = SchedAct, .attach = kPlain, .data = 76, .data_end = 80, .data_meta = 140, .loads_packet = true},
    {.type = LwtXmit, .attach = kPlain, .data = 76, .data_end = 80},
    {.type = LwtIn, .attach = kPlain, .data = 76, .data_end = 80, .writes_packet = false},
    {.type = SkSkb, .attach = A::SkSkbStreamVerdict, .data = 76, .data_end = 80},
    {.type = SkMsg, .attach = A::SkMsgVerdict, .data = 0, .data_end = 8, .data_bits = 64},
    {.type = SocketFilter, .attach = kPlain, .loads_packet = true},
    {.type = Kprobe, .attach = kPlain},
    {.type = Tracepoint, .attach = kPlain},
    {.type = PerfEvent, .attach = kPlain},
    {.type = RawTracepoint, .attach = kPlain},
    {.type = SockOps, .attach = A::CgroupSockOps, .largest_result = 1},
    {.type = CgroupSock, .attach = A::CgroupInetSockCreate, .largest_result = 1},
    {.type = CgroupSockAddr, .attach = A::CgroupInet4Connect, .largest_result = 1},
    {.type = CgroupSysctl, .attach = A::CgroupSysctl, .largest_result = 1},
    {.type = CgroupDevice, .attach = A::CgroupDevice, .largest_result = 1},
    {.type = SkLookup, .attach = A::SkLookup, .largest_result = 1},
    {.type = Syscall, .attach = kPlain, .flags = spec::kSleepable},
};

// Types with packets come first in the table.
std::vector<const Target*> select(bool packets) {
  std::vector<const Target*> rows;
  for (const Target& row : kTargets)
    if (!packets || row.data >= 0) rows.push_back(&row);
  return rows;
}

}  // namespace

std::span<const Target* const> targets(Class about) {
  static const std::vector<const Target*> all = select(false), with_packets = select(true);
  return about == Class::Packets ? with_packets : all;
}

}  // namespace skep::judge
