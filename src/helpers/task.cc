// Who runs the program, and where. Without a cgroup of its own, a hive's programs run in the root cgroup (id 1).
#include <sched.h>

#include <algorithm>

#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

std::uint64_t get_current_pid_tgid(Call& call) noexcept { return call.host.pid_tgid(); }
std::uint64_t get_current_uid_gid(Call& call) noexcept { return call.host.uid_gid(); }
std::uint64_t get_current_cgroup_id(Call&) noexcept { return 1; }
std::uint32_t get_prandom_u32(Call& call) noexcept {
  if (call.generator == nullptr) call.generator = call.host.generator();
  return call.generator != nullptr ? call.generator->draw() : call.host.random();
}
std::uint32_t get_smp_processor_id(Call& call) noexcept { return call.cpu; }

std::int64_t get_numa_node_id(Call&) noexcept {
  unsigned cpu = 0, node = 0;
  return ::getcpu(&cpu, &node) == 0 ? node : 0;
}

int get_current_comm(Call& call, MutableBytes to) noexcept {
  if (to.empty()) return -EINVAL;
  char name[16] = {};
  call.host.comm(name);
  name[sizeof name - 1] = 0;
  std::memset(to.data(), 0, to.size());
  std::memcpy(to.data(), name, std::min(::strnlen(name, sizeof name), to.size() - 1));
  return 0;
}

}  // namespace

std::span<const Binding> task_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(get_current_pid_tgid), SKEP_BIND(get_current_uid_gid),  SKEP_BIND(get_current_cgroup_id),
      SKEP_BIND(get_prandom_u32),      SKEP_BIND(get_smp_processor_id), SKEP_BIND(get_numa_node_id),
      SKEP_BIND(get_current_comm),
  };
  return rows;
}

}  // namespace skep::helpers
