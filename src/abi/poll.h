// Waiting for a hive's ring buffers with epoll(7), as libbpf's ring_buffer does.
//
// A map is a memfd, which cannot be polled. So a ring buffer's descriptor is exchanged for its wake-up eventfd
// on the way into epoll_ctl, edge-triggered: the eventfd is written at each wake-up and nobody reads it
// (ARCHITECTURE, decision 2). Tested by: tests/exec.
#pragma once

#include <sys/epoll.h>

namespace skep::abi {

// The wake-up eventfd of a ring buffer's descriptor; -1 for every other one.
using Wakeup = int (*)(int fd) noexcept;

// epoll_ctl(2) with the exchange: 0 or a negative errno.
long epoll_ctl(int epoll, int op, int fd, epoll_event* event, Wakeup wakeup_of) noexcept;

}  // namespace skep::abi
