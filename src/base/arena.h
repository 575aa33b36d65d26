// Memory that is taken piece by piece and given back all at once.
//
// The first chunks are small and the heap's; from the third on they are huge pages. Touching fresh memory costs a fault
// for each 4 KiB, which can take longer than all that is done with it (on virtual machines several microseconds); a
// huge page is one fault for 2 MiB. As a std::pmr::memory_resource it serves containers and objects; what they give
// back is not used again. One thread. Throws std::bad_alloc when there is no memory. Tested by: base/arena_test.cc.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

namespace skep {

class Arena final : public std::pmr::memory_resource {
 public:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;  // bytes

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() override;

 private:
  void* do_allocate(std::size_t bytes, std::size_t align) override;
  void do_deallocate(void*, std::size_t, std::size_t) override {}
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
  void grow(std::size_t bytes);

  void* at_ = nullptr;  // the next free byte of the last chunk
  std::size_t left_ = 0;
  std::vector<std::span<std::byte>> chunks_;  // what is smaller than a huge page is the heap's
};

}  // namespace skep
