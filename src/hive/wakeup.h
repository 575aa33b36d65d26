// What stands for a hive's ring buffer or perf event where somebody waits for it: their descriptors are memory files,
// which poll(2) and epoll(7) cannot wait for, so their wake-up eventfd goes there in their place.
//
// The eventfd is written at each wake-up. In an epoll set nobody reads it, it is watched for edges. poll(2) and
// select(2) ask what there is: is_ready() looks at the ring's positions, which consumers move without a system call,
// and takes back a wake-up that has been served. Tested by: tests/exec, hive/wakeup_test.cc.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

namespace skep::hive {

enum class WaitsFor : std::uint8_t {
  Records,  // a ring buffer
  Room,     // a user ring buffer
  Event,    // a perf event: each wake-up is told once
};

struct Wakeup {
  int event = -1;  // the eventfd; not ours
  WaitsFor waits_for = WaitsFor::Records;
  std::uint64_t bytes = 0;  // of a ring buffer's data
};

// How `asked` of the object is asked of its eventfd in an epoll set.
epoll_event in_epoll_set(epoll_event asked) noexcept;

// What poll(2) says of the object: POLLIN, POLLOUT or 0. `memory`: a descriptor of it. Cost: a system call or two.
short is_ready(const Wakeup& wakeup, int memory) noexcept;

}  // namespace skep::hive
