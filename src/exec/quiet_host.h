// A host without surroundings: time stands still, nothing is random, nobody listens, and no program or map is behind
// any slot. For runs that need none: conformance vectors, benchmarks, fuzzing; tests derive from it what they do need.
// Tested by: those runs.
#pragma once

#include <algorithm>
#include <cerrno>

#include "exec/call.h"

namespace skep::exec {

class QuietHost : public Host {
 public:
  std::uint64_t now(Clock) noexcept override { return 0; }
  std::uint32_t random() noexcept override { return 0; }
  std::uint64_t pid_tgid() noexcept override { return 0; }
  std::uint64_t uid_gid() noexcept override { return 0; }
  void comm(char (&name)[16]) noexcept override { std::ranges::fill(name, '\0'); }
  void trace(std::string_view) noexcept override {}
  int perf_event(maps::Map&, std::uint64_t, Bytes) noexcept override { return -ENOENT; }
  int clone_to(std::uint32_t, bool, Bytes) noexcept override { return -ENODEV; }
  const Executable* program(maps::Reference) noexcept override { return nullptr; }
  maps::Map* map(maps::Reference) noexcept override { return nullptr; }
};

}  // namespace skep::exec
