// CGROUP_STORAGE and PERCPU_CGROUP_STORAGE as far as a hive without cgroups has them: the value that BPF_PROG_TEST_RUN
// gives the programs it runs, as the kernel does. System calls find no elements (maps/empty_map.h); programs reach the
// value with bpf_get_local_storage(), which is lookup() with any key here. Test runs begin with zeros: restart().
// Runs of one map at the same time share the value. Tested by: maps/empty_map_test.cc, hive/prog_test_run_test.cc.
#pragma once

#include "maps/empty_map.h"

namespace skep::maps {

class RunStorage final : public EmptyMap {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit RunStorage(Parts&& parts);

  std::byte* lookup(const std::byte* key, unsigned cpu) noexcept override;
  std::optional<MutableBytes> value_at(const std::byte* address) noexcept override;
  void restart() noexcept;

 private:
  std::size_t stride_;  // bytes from one CPU's value to the next
  unsigned values_;
};

}  // namespace skep::maps
