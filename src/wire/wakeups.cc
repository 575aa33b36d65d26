#include "wire/wakeups.h"

#include <unistd.h>

#include <algorithm>

#include "hive/descriptor.h"

namespace skep::wire {

std::optional<hive::Wakeup> Wakeups::of(int fd) noexcept {
  const std::int64_t object = fd < 0 ? -1 : ::lseek(fd, 0, SEEK_CUR);
  if (!hive::from_position(object) && !hive::is_event(object)) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  const auto found = std::ranges::find(kept_, object, &Kept::object);
  if (found != kept_.end()) return found->woken.wakeup;
  Result<Client::Woken> woken = client_.wakeup(fd);
  if (!woken) return std::nullopt;
  if (kept_.size() < kMost) {
    kept_.push_back({object, *std::move(woken)});
    return kept_.back().woken.wakeup;
  }
  Kept& place = kept_[next_++ % kMost];
  place = {object, *std::move(woken)};
  return place.woken.wakeup;
}

}  // namespace skep::wire
