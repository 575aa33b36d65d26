#include "base/mapping.h"

#include <sys/mman.h>

namespace skep {

Mapping Mapping::shared(int fd, std::size_t size) noexcept {
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  Mapping result;
  if (at != MAP_FAILED) result.bytes_ = {static_cast<std::byte*>(at), size};
  return result;
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace skep
