// Memory of a size that a caller chose.
#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"

namespace skep::hive {

// Memory for a key, a value or the like: on the stack while it is small. Not initialised. bytes() is empty when
// there is no memory for it (a hostile size), which differs from a size of 0 by ok().
class Buffer {
 public:
  explicit Buffer(std::size_t size) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  bool ok() const noexcept { return data_ != nullptr; }
  std::byte* data() noexcept { return data_; }
  MutableBytes bytes() noexcept { return {data_, size_}; }

 private:
  static constexpr std::size_t kInline = 256;
  std::size_t size_;
  std::byte* data_;
  std::unique_ptr<std::byte[]> heap_;
  alignas(16) std::byte inline_[kInline];
};

}  // namespace skep::hive
