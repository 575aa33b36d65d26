// Bytes that several threads and processes touch at once, moved as atomic words.
//
// Shared memory is read while others write it. Every such access goes through an 8-byte (or 4-byte) atomic word, so
// that a race is a mixture of old and new words and never undefined. Loads acquire and stores release: who has seen a
// word of a reused element also sees the generation that was bumped before the reuse. On x86-64 both are plain moves.
//
// Shared blocks start 8-byte aligned and extend to a multiple of 8 bytes; the other side may lie anywhere.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/bytes.h"

namespace skep::maps {

template <class T>
std::atomic_ref<T> word_at(std::byte* shared) noexcept {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(shared));
}
template <class T>
T get(T& shared) noexcept {
  return std::atomic_ref<T>(shared).load(std::memory_order_acquire);
}
template <class T>
void set(T& shared, T value) noexcept {
  std::atomic_ref<T>(shared).store(value, std::memory_order_release);
}

// The 8 bytes of a key. Programs put keys together on their stack shortly before: often from halves, and a processor
// that is asked for the whole then waits until both stores have left its queue. A whole that was stored at once it
// gives in halves without waiting.
inline std::uint64_t load_halves(const std::byte* from) noexcept {
  auto low = load<std::uint32_t>(from);
  asm("" : "+r"(low));  // compilers would load both at once
  return low | std::uint64_t{load<std::uint32_t>(from + 4)} << 32;
}

// The same for the 4 bytes of a key that may have been put together from single bytes, as addresses in packets often
// are.
inline std::uint32_t load_bytes(const std::byte* from) noexcept {
  std::uint32_t all = 0;
  for (unsigned i = 0; i < 4; ++i) {
    auto byte = load<std::uint8_t>(from + i);
    asm("" : "+r"(byte));
    all |= std::uint32_t{byte} << 8 * i;
  }
  return all;
}

// Keys of one word, which can be compared at once.
template <std::size_t kKeySize>
inline std::uint64_t key_word(const std::byte* key) noexcept {
  return kKeySize == 8 ? load_halves(key) : load<std::uint32_t>(key);
}

// The last, partial word of a block of `size` bytes, padded with zeros.
inline std::uint64_t partial_word(const std::byte* from, std::size_t size) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, from, size);
  return word;
}

inline void copy_in(std::byte* shared, const std::byte* from, std::size_t size) noexcept {
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8)
    word_at<std::uint64_t>(shared + at).store(load<std::uint64_t>(from + at), std::memory_order_release);
  if (at < size)
    word_at<std::uint64_t>(shared + at).store(partial_word(from + at, size - at), std::memory_order_release);
}

// copy_in, but for the 4 bytes at `hole`, a multiple of 4.
inline void copy_in_around(std::byte* shared, const std::byte* from, std::size_t size, std::size_t hole) noexcept {
  const std::size_t word = hole / 8 * 8;
  copy_in(shared, from, word);
  const std::size_t half = hole == word ? word + 4 : word;
  if (half < size) {
    const auto rest = static_cast<std::uint32_t>(partial_word(from + half, std::min<std::size_t>(4, size - half)));
    word_at<std::uint32_t>(shared + half).store(rest, std::memory_order_release);
  }
  if (word + 8 < size) copy_in(shared + word + 8, from + word + 8, size - word - 8);
}

inline void copy_out(std::byte* to, std::byte* shared, std::size_t size) noexcept {
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8) store(to + at, word_at<std::uint64_t>(shared + at).load(std::memory_order_acquire));
  if (at < size) {
    const std::uint64_t word = word_at<std::uint64_t>(shared + at).load(std::memory_order_acquire);
    std::memcpy(to + at, &word, size - at);
  }
}

inline void clear(std::byte* shared, std::size_t size) noexcept {
  for (std::size_t at = 0; at < size; at += 8) word_at<std::uint64_t>(shared + at).store(0, std::memory_order_release);
}

// The shared block was filled by copy_in, so that its last word ends in zeros.
inline bool equal(std::byte* shared, const std::byte* key, std::size_t size) noexcept {
  std::size_t at = 0;
  for (; at + 8 <= size; at += 8)
    if (word_at<std::uint64_t>(shared + at).load(std::memory_order_acquire) != load_halves(key + at)) return false;
  return at == size ||
         word_at<std::uint64_t>(shared + at).load(std::memory_order_acquire) == partial_word(key + at, size - at);
}

}  // namespace skep::maps
