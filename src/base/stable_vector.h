// A vector whose elements never move: it grows by chunks, and nothing is copied when it does.
//
// For data of which there may be much: a growing std::vector copies all of it again and again, and touches twice the
// memory. Elements are trivially destructible, so that clear() keeps the chunks for the next use at no cost. Cost: an
// index is a shift, a mask and two loads. Memory is the resource's, which must live longer. Tested by:
// base/stable_vector_test.cc.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <type_traits>
#include <vector>

namespace skep {

template <class T, std::size_t kPerChunk>
class StableVector {
  static_assert(std::has_single_bit(kPerChunk) && std::is_trivially_destructible_v<T>);

 public:
  explicit StableVector(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
  ~StableVector() {
    for (Chunk* chunk : chunks_) memory_.delete_object(chunk);
  }
  StableVector(const StableVector&) = delete;
  StableVector& operator=(const StableVector&) = delete;

  T& operator[](std::size_t at) noexcept { return *place(at); }
  const T& operator[](std::size_t at) const noexcept { return *place(at); }
  std::size_t size() const noexcept { return size_; }
  void push_back(const T& value) {
    if (size_ == chunks_.size() * kPerChunk) chunks_.push_back(memory_.template new_object<Chunk>());
    std::construct_at(place(size_), value);
    ++size_;
  }
  void clear() noexcept { size_ = 0; }
  std::size_t bytes() const noexcept { return chunks_.size() * sizeof(Chunk); }

 private:
  struct Chunk {
    Chunk() noexcept {}  // leaves the bytes as they are
    alignas(T) std::byte bytes[kPerChunk * sizeof(T)];
  };
  T* place(std::size_t at) const noexcept {
    return reinterpret_cast<T*>(chunks_[at / kPerChunk]->bytes) + at % kPerChunk;
  }

  std::pmr::polymorphic_allocator<> memory_;
  std::vector<Chunk*> chunks_;
  std::size_t size_ = 0;
};

}  // namespace skep
