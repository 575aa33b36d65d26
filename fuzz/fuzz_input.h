// A fuzzer's bytes, taken piece by piece: what lies behind their end is zeros, or nothing.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/bytes.h"

namespace skep::fuzz {

class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  template <class T>
  T take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    take(MutableBytes(reinterpret_cast<std::byte*>(&value), sizeof value));
    return value;
  }
  // At most so many.
  Bytes take(std::size_t size) {
    const Bytes part = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return part;
  }
  void take(MutableBytes to) { std::ranges::copy(take(to.size()), to.begin()); }
  Bytes rest() { return take(rest_.size()); }

 private:
  Bytes rest_;
};

}  // namespace skep::fuzz
