#include "hive/wakeup.h"

#include <poll.h>
#include <unistd.h>

#include "maps/region.h"

namespace skep::hive {
namespace {

// Takes back what was written so far: whether anything was.
bool served(int event) noexcept {
  std::uint64_t count = 0;
  return ::read(event, &count, sizeof count) == sizeof count;
}

bool has_news(const Wakeup& ring, int memory) noexcept {
  std::uint64_t consumer = 0, producer = 0;
  const auto read = [memory](std::uint64_t& position, std::size_t at) {
    return ::pread(memory, &position, sizeof position, static_cast<off_t>(at)) == sizeof position;
  };
  if (!read(consumer, 0) || !read(producer, maps::kPageSize)) return served(ring.event);  // opened for writing only
  return ring.waits_for == WaitsFor::Records ? producer != consumer : producer - consumer < ring.bytes;
}

}  // namespace

epoll_event in_epoll_set(epoll_event asked) noexcept {
  asked.events |= EPOLLET;
  // Who waits for room in a user ring buffer waits for the next time it is drained.
  if ((asked.events & EPOLLOUT) != 0) asked.events = (asked.events & ~std::uint32_t{EPOLLOUT}) | EPOLLIN;
  return asked;
}

short is_ready(const Wakeup& wakeup, int memory) noexcept {
  if (wakeup.waits_for == WaitsFor::Event) return served(wakeup.event) ? POLLIN : 0;
  const short news = wakeup.waits_for == WaitsFor::Records ? POLLIN : POLLOUT;
  if (has_news(wakeup, memory)) return news;
  // What came between the look and the reading is seen by another look.
  return served(wakeup.event) && has_news(wakeup, memory) ? news : short{0};
}

}  // namespace skep::hive
