// The bpf_spin_lock that a map's value may contain, as its BTF says: a lock word (maps/lock.h) that programs take, and
// system calls with BPF_F_LOCK. Copies leave it alone: what is written skips it, what is read shows 0 there.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>

#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {

class ValueLock {
 public:
  ValueLock() = default;
  // An offset that does not fit is none.
  ValueLock(std::uint32_t offset, std::uint32_t value_size) noexcept {
    if (offset % 4 == 0 && value_size >= 4 && offset <= value_size - 4) at_ = offset;
  }
  explicit operator bool() const noexcept { return at_.has_value(); }

  // A value that nobody sees yet.
  void write_new(std::byte* value, const std::byte* from, std::size_t size) const noexcept {
    copy_in(value, from, size);
    if (at_) set(word(value), 0U);
  }
  void write(std::byte* value, const std::byte* from, std::size_t size) const noexcept {
    at_ ? copy_in_around(value, from, size, *at_) : copy_in(value, from, size);
  }
  void read(std::byte* to, std::byte* value, std::size_t size) const noexcept {
    copy_out(to, value, size);
    hide(to);
  }
  // In a copy of a value.
  void hide(std::byte* copy) const noexcept {
    if (at_) store(copy + *at_, std::uint32_t{0});
  }
  // The same with the lock held, which must be there: 0 or -EBUSY.
  int write_locked(std::byte* value, const std::byte* from, std::size_t size) const noexcept {
    const Guard guard(word(value));
    if (guard) write(value, from, size);
    return guard ? 0 : -EBUSY;
  }
  int read_locked(std::byte* to, std::byte* value, std::size_t size) const noexcept {
    const Guard guard(word(value));
    if (guard) read(to, value, size);
    return guard ? 0 : -EBUSY;
  }

 private:
  std::uint32_t& word(std::byte* value) const noexcept { return *reinterpret_cast<std::uint32_t*>(value + *at_); }

  std::optional<std::uint32_t> at_;
};

}  // namespace skep::maps
