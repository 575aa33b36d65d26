// Text: numbers and comparison.
#include "helpers/number.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

std::int64_t strtol(Call&, Bytes text, std::uint64_t flags, std::byte* result) noexcept {
  std::int64_t value = 0;
  const std::int64_t length = read_signed(text, flags, value);
  store(result, value);
  return length;
}

std::int64_t strtoul(Call&, Bytes text, std::uint64_t flags, std::byte* result) noexcept {
  std::uint64_t value = 0;
  const std::int64_t length = read_unsigned(text, flags, value);
  store(result, value);
  return length;
}

// -1, 0 or 1.
int strncmp(Call&, Bytes text, const char* other) noexcept {
  for (const std::byte byte : text) {
    const auto a = std::to_integer<unsigned>(byte);
    const auto b = static_cast<unsigned>(static_cast<unsigned char>(*other++));
    if (a != b) return a < b ? -1 : 1;
    if (a == 0) break;
  }
  return 0;
}

}  // namespace

std::span<const Binding> string_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(strtol), SKEP_BIND(strtoul), SKEP_BIND(strncmp)};
  return rows;
}

}  // namespace skep::helpers
