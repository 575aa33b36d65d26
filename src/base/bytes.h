// Byte ranges and unaligned, alias-safe loads and stores. All multi-byte values are host order
// unless a name says le or be.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace skep {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

template <class T>
  requires std::is_trivially_copyable_v<T>
T load(const void* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
  requires std::is_trivially_copyable_v<T>
void store(void* to, const T& value) noexcept {
  std::memcpy(to, &value, sizeof value);
}

template <class T>
T from_be(T value) noexcept {
  return std::endian::native == std::endian::little ? std::byteswap(value) : value;
}
template <class T>
T to_be(T value) noexcept {
  return from_be(value);
}

template <class T>
Bytes bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}

constexpr std::size_t round_up(std::size_t n, std::size_t to) noexcept { return (n + to - 1) / to * to; }

}  // namespace skep
