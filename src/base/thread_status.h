// What /proc says of a thread, of this process or another. Tested by: base/thread_test.cc.
#pragma once

#include <cstdint>

namespace skep {

struct ThreadStatus {
  std::uint32_t process = 0;  // the thread that it began with; the thread itself where nothing is known
  std::uint32_t uid = 0, gid = 0;
  char name[16] = {};
  // Signals, a bit each, the first for number 1: sent to the thread or its process and not yet received, and which the
  // thread blocks and ignores.
  std::uint64_t pending = 0, blocked = 0, ignored = 0;
};
ThreadStatus thread_status(std::uint32_t thread) noexcept;

}  // namespace skep
