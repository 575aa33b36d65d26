// How many descriptors this process may have. Those who hold objects for others keep some in reserve below the hard
// limit: whether an object is anybody's any more is found out with a descriptor.
#pragma once

#include <sys/resource.h>

#include <algorithm>

namespace skep {

inline constexpr rlim_t kReservedDescriptors = 8;

// As many as this user may have, but for the reserve.
inline void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max - std::min(limit.rlim_max / 2, kReservedDescriptors);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The reserve is open while it lives.
class ReservedDescriptors {
 public:
  ReservedDescriptors() noexcept {
    if (::getrlimit(RLIMIT_NOFILE, &before_) != 0) return;
    const rlimit more{std::min(before_.rlim_cur + kReservedDescriptors, before_.rlim_max), before_.rlim_max};
    raised_ = ::setrlimit(RLIMIT_NOFILE, &more) == 0;
  }
  ~ReservedDescriptors() {
    if (raised_) ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  ReservedDescriptors(const ReservedDescriptors&) = delete;
  ReservedDescriptors& operator=(const ReservedDescriptors&) = delete;

 private:
  rlimit before_{};
  bool raised_ = false;
};

}  // namespace skep
