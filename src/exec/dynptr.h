// A dynptr as it lies in a program's stack: 16 bytes that only helpers write and read.
//
// The verifier sees to it that a program neither forges nor changes one. Under the checked policy, which also takes
// programs that nobody verified, the interpreter asks before each call whether what it points to is there. A null one
// has no memory: what failed to make one leaves it so, and every use of it fails.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::exec {

struct Dynptr {
  enum class Kind : std::uint8_t { Local, Record };  // a record: of a ring buffer, to be given back
  static constexpr std::uint32_t kMostBytes = (1U << 24) - 1;

  std::byte* data = nullptr;  // where the memory starts, whatever `offset` is
  std::uint32_t offset = 0;   // the part of it that is meant
  std::uint32_t size : 24 = 0;
  std::uint32_t kind : 7 = 0;
  std::uint32_t is_read_only : 1 = 0;

  // Whether `bytes` at `at` lie inside.
  bool has(std::uint64_t at, std::uint64_t bytes) const noexcept { return bytes <= size && at <= size - bytes; }
  std::byte* begin() const noexcept { return data + offset; }
};
static_assert(sizeof(Dynptr) == 16);

}  // namespace skep::exec
