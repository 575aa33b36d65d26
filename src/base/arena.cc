#include "base/arena.h"

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <new>

namespace skep {
namespace {

constexpr std::size_t kSmallChunks[] = {std::size_t{64} << 10, std::size_t{256} << 10};  // bytes

std::size_t whole_pages(std::size_t bytes) { return (bytes + Arena::kHugePage - 1) & ~(Arena::kHugePage - 1); }

// A mapping is aligned to pages of 4 KiB: one huge page more is asked for, and what lies outside of whole ones goes
// back at once.
std::span<std::byte> map_huge_pages(std::size_t size) {
  void* mapped = mmap(nullptr, size + Arena::kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::size_t before = whole_pages(address) - address;
  if (before != 0) munmap(begin, before);
  if (before != Arena::kHugePage) munmap(begin + before + size, Arena::kHugePage - before);
  madvise(begin + before, size, MADV_HUGEPAGE);  // a wish
  return {begin + before, size};
}

}  // namespace

Arena::~Arena() {
  for (const auto chunk : chunks_) {
    if (chunk.size() < kHugePage)
      ::operator delete(chunk.data());
    else
      munmap(chunk.data(), chunk.size());
  }
}

void Arena::grow(std::size_t bytes) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  chunks_.reserve(chunks_.size() + 1);
  const std::size_t small = chunks_.size() < std::size(kSmallChunks) ? kSmallChunks[chunks_.size()] : 0;
  if (bytes <= small)
    chunks_.emplace_back(static_cast<std::byte*>(::operator new(small)), small);
  else
    chunks_.push_back(map_huge_pages(whole_pages(bytes)));
  at_ = chunks_.back().data();
  left_ = chunks_.back().size();
}

void* Arena::do_allocate(std::size_t bytes, std::size_t align) {
  void* taken = std::align(align, bytes, at_, left_);
  if (taken == nullptr) {
    if (bytes > SIZE_MAX - align) throw std::bad_alloc();
    grow(bytes + align);
    taken = std::align(align, bytes, at_, left_);
  }
  at_ = static_cast<std::byte*>(taken) + bytes;
  left_ -= bytes;
  return taken;
}

}  // namespace skep
