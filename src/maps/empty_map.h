// Map types whose elements need something that a hive does not have yet (cgroups that programs are attached to, stacks
// of tasks, kernel structures): they can be made and named by programs, by the kernel's rules, and are always empty.
//
// So a program that uses one is judged as the kernel judges it, finds nothing in it when it runs, and whoever wants to
// put something into it is told -EOPNOTSUPP, or what the kernel says where it would refuse as well. kShell in a row of
// maps/kinds.def says which types these are; what a hive counts as supported (hive/features.h) leaves them out. The
// answers were tried on Linux 6.18. Tested by: maps/create_test.cc, maps/empty_map_test.cc.
#pragma once

#include "maps/map.h"

namespace skep::maps {

class EmptyMap : public Map {
 public:
  static Result<Plan> plan(const spec::MapSpec& spec, unsigned cpus);
  explicit EmptyMap(Parts&& parts);

  int update(const std::byte* key, const std::byte* value, std::uint64_t flags, unsigned cpu) noexcept override;
  int erase(const std::byte* key) noexcept override;
  std::size_t syscall_value_size() const noexcept override;
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int next_key(const std::byte* key, std::byte* next) noexcept override;

 private:
  struct Answers;
  static const Answers& answers_of(spec::MapType type) noexcept;
  bool outside(const std::byte* key) const noexcept;

  const Answers& answers_;
};

}  // namespace skep::maps
