// What is waited for in place of ring buffers and perf events whose hive is in another process, kept here: what is
// added to an epoll set under one number must be removed under the same.
//
// The last kMost are kept; one that goes stays in the epoll sets it is in, because the host has it open. Threads: any.
// Cost: a system call for a descriptor that is neither; a question to the host for a map seen first. Tested by:
// tests/exec.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "hive/wakeup.h"
#include "wire/client.h"

namespace skep::wire {

class Wakeups {
 public:
  explicit Wakeups(Client& client) noexcept : client_(client) {}
  // Of a ring buffer or a perf event of the hive; nothing for every other descriptor.
  std::optional<hive::Wakeup> of(int fd) noexcept;

 private:
  static constexpr std::size_t kMost = 1024;
  struct Kept {
    std::int64_t object = 0;  // its descriptor's file position
    Client::Woken woken;
  };
  Client& client_;
  std::mutex mutex_;
  std::vector<Kept> kept_;
  std::size_t next_ = 0;
};

}  // namespace skep::wire
