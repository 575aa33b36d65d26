// What the parts of the C API share.
#pragma once

#include <memory>

#include "hive/hive.h"

struct skep_hive {
  std::unique_ptr<skep::hive::Hive> hive;
};

namespace skep::hive {

// libc's way of a result: the value, or -1 with errno set.
inline long libc_result(long code) noexcept {
  if (code >= 0) return code;
  errno = static_cast<int>(-code);
  return -1;
}

}  // namespace skep::hive
