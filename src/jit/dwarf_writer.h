// Bytes of DWARF and ELF structures while they are written. Internal to jit/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace skep::jit {

class DwarfWriter {
 public:
  std::size_t size() const noexcept { return bytes_.size(); }
  std::vector<std::byte> take() { return std::move(bytes_); }

  void u8(std::uint32_t value) { put(static_cast<std::uint8_t>(value)); }
  void u16(std::uint32_t value) { put(static_cast<std::uint16_t>(value)); }
  void u32(std::uint64_t value) { put(static_cast<std::uint32_t>(value)); }
  void u64(std::uint64_t value) { put(value); }
  void uleb(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) u8(static_cast<std::uint32_t>(value & 0x7f) | 0x80U);
    u8(static_cast<std::uint32_t>(value));
  }
  void sleb(std::int64_t value) {
    for (; value < -0x40 || value >= 0x40; value >>= 7) u8(static_cast<std::uint32_t>(value & 0x7f) | 0x80U);
    u8(static_cast<std::uint32_t>(value & 0x7f));
  }
  void text(std::string_view value) {  // with its end
    const auto from = std::as_bytes(std::span(value));
    bytes_.insert(bytes_.end(), from.begin(), from.end());
    u8(0);
  }
  void bytes(std::span<const std::byte> from) { bytes_.insert(bytes_.end(), from.begin(), from.end()); }
  void align(std::size_t to, std::byte with = std::byte{0}) {
    while (bytes_.size() % to != 0) bytes_.push_back(with);
  }

  // A 32-bit length of what follows it, filled in by end().
  std::size_t begin() {
    u32(0);
    return size();
  }
  void end(std::size_t begun) { set_u32(begun - 4, size() - begun); }
  void set_u32(std::size_t at, std::uint64_t value) {
    const auto narrow = static_cast<std::uint32_t>(value);
    std::memcpy(bytes_.data() + at, &narrow, sizeof narrow);
  }

 private:
  template <class T>
  void put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  std::vector<std::byte> bytes_;
};

}  // namespace skep::jit
