#include "base/cpus.h"

#include <sched.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "base/fd.h"

namespace skep {
namespace {

std::string first_bytes(const char* path) {
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = fd ? ::read(fd.get(), text, sizeof text) : -1;
  return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
}

struct Range {
  unsigned first = 0;
  unsigned last = 0;
};

// Takes the first "A" or "A-B" off the list.
std::optional<Range> take_range(std::string_view& list) {
  const std::string_view item = list.substr(0, list.find_first_of(",\n"));
  list.remove_prefix(std::min(item.size() + 1, list.size()));
  Range range;
  const char* end = item.data() + item.size();
  const auto first = std::from_chars(item.data(), end, range.first);
  if (first.ec != std::errc{}) return std::nullopt;
  range.last = range.first;
  if (first.ptr == end) return range;
  if (*first.ptr != '-') return std::nullopt;
  const auto last = std::from_chars(first.ptr + 1, end, range.last);
  if (last.ec != std::errc{} || last.ptr != end || range.last < range.first) return std::nullopt;
  return range;
}

}  // namespace

std::optional<bool> list_contains(std::string_view list, unsigned number) {
  bool found = false;
  while (!list.empty()) {
    const auto range = take_range(list);
    if (!range) return std::nullopt;
    found |= range->first <= number && number <= range->last;
  }
  return found;
}

unsigned list_end(std::string_view list) {
  unsigned end = 0;
  while (!list.empty()) {
    const auto range = take_range(list);
    if (!range) return 0;
    end = std::max(end, range->last + 1);
  }
  return end;
}

unsigned possible_cpus() { return std::max(1U, list_end(first_bytes("/sys/devices/system/cpu/possible"))); }

unsigned most_cpus() { return std::max(possible_cpus(), list_end(first_bytes("/sys/devices/system/cpu/kernel_max"))); }

bool memory_node_online(unsigned node) {
  const std::string online = first_bytes("/sys/devices/system/node/online");
  return online.empty() ? node == 0 : list_contains(online, node).value_or(false);
}

unsigned current_cpu(unsigned cpus) noexcept {
  const int cpu = ::sched_getcpu();
  return cpu < 0 ? 0 : static_cast<unsigned>(cpu) % cpus;
}

void stay_on_this_cpu() noexcept {
  const int cpu = ::sched_getcpu();
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

}  // namespace skep
