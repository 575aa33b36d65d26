// Where programs can be attached, as hive/attach_points.def lists it, and whether a caller's target is one.
//
// What a place is asked of a target is asked here in the kernel's order, with its errno. Whether programs of a hive run
// there is another question, and who attaches answers it: on what the machine's kernel owns (cgroups, interfaces,
// network namespaces, its functions and events) they never do, and a link that says so would be a lie, so there
// the last answer is EOPNOTSUPP. Tested by: hive/attach_test.cc, hive/link_test.cc (against the running kernel).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "hive/request.h"

namespace skep::hive {

enum class TargetKind : std::uint8_t {
  None,
  Cgroup,
  Netns,
  Sockmap,
  Interface,
  XdpInterface,
  Event,
  Functions,
  File,
  Hook,
  Kernel,
  Iterator,
};
enum class Matches : std::uint8_t { Any, Kin, Exact };
namespace ways {
inline constexpr std::uint8_t Link = 1, Attach = 2, Query = 4, Names = 8;
}

struct AttachPoint {
  spec::AttachType attach;
  spec::ProgType program;
  TargetKind target;
  Matches matches;
  std::uint8_t commands;  // ways
  bool takes(std::uint8_t way) const noexcept { return (commands & way) != 0; }
};

// The row for programs of this type; null when there is none.
const AttachPoint* attach_point(std::uint32_t attach, spec::ProgType program) noexcept;
// The first row of an attach type; null when it has none.
const AttachPoint* attach_point(std::uint32_t attach) noexcept;
// Whether the program was loaded for this place.
bool is_for(const ProgObject& program, const AttachPoint& point) noexcept;

// What the caller's number means: 0, or a negative errno.
int check_cgroup_target(Caller& caller, int fd) noexcept;  // EBADF
int check_netns_target(Caller& caller, int fd) noexcept;   // EBADF, EINVAL
int check_event_target(Caller& caller, int fd) noexcept;   // EBADF
// Whether a process's descriptor is an event of perf_event_open(2); nothing where it has no such descriptor.
std::optional<bool> is_perf_event(pid_t process, unsigned fd) noexcept;
bool is_interface(std::uint32_t index) noexcept;  // in the network namespace of the hive's process

}  // namespace skep::hive
