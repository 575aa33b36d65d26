// What the program of an iterator writes about an object (bpf_seq_printf, bpf_seq_write): text in a buffer of a fixed
// size. What does not fit makes it overflow, and then it is full, as the kernel's seq_file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "base/bytes.h"

namespace skep::exec {

class Sequence {
 public:
  // `handle` is what programs know it by.
  Sequence(std::span<char> buffer, const void* handle) noexcept : buffer_(buffer), handle_(handle) {}

  const void* handle() const noexcept { return handle_; }
  bool overflowed() const noexcept { return used_ == buffer_.size(); }
  std::span<const char> text() const noexcept { return buffer_.first(used_); }
  void clear() noexcept { used_ = 0; }

  // All of it, or it overflows.
  void write(Bytes bytes) noexcept {
    if (bytes.size() >= room().size()) return overflow();
    std::ranges::copy(bytes, std::as_writable_bytes(room()).begin());
    used_ += bytes.size();
  }
  // The room that is left, to be written to by others; and how much they would have liked to have.
  std::span<char> room() const noexcept { return buffer_.subspan(used_); }
  void wrote(std::size_t bytes) noexcept {
    if (bytes >= room().size()) return overflow();
    used_ += bytes;
  }

 private:
  void overflow() noexcept { used_ = buffer_.size(); }

  std::span<char> buffer_;
  const void* handle_;
  std::size_t used_ = 0;
};

}  // namespace skep::exec
