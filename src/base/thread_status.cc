#include "base/thread_status.h"

#include <cstdio>

namespace skep {

ThreadStatus thread_status(std::uint32_t thread) noexcept {
  ThreadStatus found{.process = thread};
  char path[32], line[256];
  std::snprintf(path, sizeof path, "/proc/%u/status", thread);
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return found;
  unsigned long long signals = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    std::sscanf(line, "Name:\t%15[^\n]", found.name);
    std::sscanf(line, "Tgid:\t%u", &found.process);
    std::sscanf(line, "Uid:\t%u", &found.uid);
    std::sscanf(line, "Gid:\t%u", &found.gid);
    if (std::sscanf(line, "SigPnd:\t%llx", &signals) == 1) found.pending |= signals;
    if (std::sscanf(line, "ShdPnd:\t%llx", &signals) == 1) found.pending |= signals;
    if (std::sscanf(line, "SigBlk:\t%llx", &signals) == 1) found.blocked = signals;
    if (std::sscanf(line, "SigIgn:\t%llx", &signals) == 1) found.ignored = signals;
  }
  std::fclose(file);
  return found;
}

}  // namespace skep
