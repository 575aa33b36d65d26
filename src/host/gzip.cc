#include "host/gzip.h"

#include <cstdint>

namespace skep::host {
namespace {

// RFC 1952, section 8.
std::uint32_t crc32(std::string_view text) noexcept {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0);
  }
  return ~crc;
}

void put(std::string& to, std::uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}

}  // namespace

std::string gzip(std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string packed("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);  // deflate, no name, no time, no system
  packed += '\x01';                                        // RFC 1951: the last block, stored
  put(packed, size, 2);
  put(packed, ~size, 2);
  packed += text;
  put(packed, crc32(text), 4);
  put(packed, size, 4);
  return packed;
}

}  // namespace skep::host
