// A shared mapping of a descriptor's first bytes, unmapped once, by its owner.
#pragma once

#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace skep {

class Mapping {
 public:
  Mapping() = default;
  // Maps bytes [0, size) of `fd` readable and writable; an empty Mapping (and errno) when that fails.
  static Mapping shared(int fd, std::size_t size) noexcept;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();

  explicit operator bool() const noexcept { return !bytes_.empty(); }
  std::byte* data() const noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return bytes_.size(); }

 private:
  MutableBytes bytes_;
};

}  // namespace skep
