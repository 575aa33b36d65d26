#include "abi/remote_wakeups.h"

#include <unistd.h>

#include <algorithm>

#include "hive/descriptor.h"

namespace skep::abi {

int RemoteWakeups::of(int fd) noexcept {
  const std::int64_t map = fd < 0 ? -1 : ::lseek(fd, 0, SEEK_CUR);
  if (!hive::from_position(map)) return -1;
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(kept_, map, &Kept::map);
  if (found != kept_.end()) return found->event.get();
  Result<Fd> event = client_.wakeup(fd);
  if (!event) return -1;
  Kept& place = kept_[next_++ % kMost];
  place = {.map = map, .event = *std::move(event)};
  return place.event.get();
}

}  // namespace skep::abi
