// The wake-up eventfds of ring buffers whose hive is in another process, kept here: what is added to an epoll set under
// one number must be removed under the same.
//
// The last kMost are kept; one that goes stays in the epoll sets it is in, because the host has it open. Threads: any.
// Cost: a system call for a descriptor that is no map; a question to the host for a map seen first. Tested by:
// tests/exec.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "base/fd.h"
#include "wire/client.h"

namespace skep::abi {

class RemoteWakeups {
 public:
  explicit RemoteWakeups(wire::Client& client) noexcept : client_(client) {}
  // Of a ring buffer of the hive; -1 for every other descriptor.
  int of(int fd) noexcept;

 private:
  static constexpr std::size_t kMost = 64;
  struct Kept {
    std::int64_t map = 0;  // its descriptor's file position
    Fd event;
  };
  wire::Client& client_;
  std::mutex mutex_;
  std::array<Kept, kMost> kept_;
  std::size_t next_ = 0;
};

}  // namespace skep::abi
