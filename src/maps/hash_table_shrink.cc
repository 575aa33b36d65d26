// The part of a hash table that gives memory back: of tables without preallocation, blocks of chunks that are empty.
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <array>

#include "maps/hash_table.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kFewest = 1024;  // elements that there must have been for it to be worth while

std::uint32_t this_second() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint32_t>(now.tv_sec);
}

}  // namespace

// When so few elements are left that most blocks are empty; once a second, so that a map that fills and empties all the
// time does not spend its time with that; and when the last elements have gone that were left then.
void HashTable::shrink_if_due() noexcept {
  const std::uint32_t now = get(count(0, generation()));
  const std::uint32_t highest = get(state_->highest);
  const bool rest = now == 0 && get(state_->left) != 0;
  if (!rest && (highest < kFewest || now > std::min(highest / 16, layout_.chunks / layout_.block_chunks / 4))) return;
  const std::uint32_t second = this_second();
  if (std::atomic_ref(state_->given_at).exchange(second) == second && !rest) return;
  set(state_->left, now);
  set(state_->highest, now);
  give_blocks_back();
}

// Those that have memory, which is asked of the kernel: to look at one that has none would give it some.
void HashTable::give_blocks_back() noexcept {
  if (!habits_->bias.lets_pass(this_owner()) && !end_bias()) return;
  constexpr std::size_t kMostPages = 1024;
  const std::size_t block_pages = layout_.block_chunks * layout_.chunk_bytes / kPageSize;
  const std::size_t most_blocks = kMostPages / block_pages;
  std::array<unsigned char, kMostPages> resident;
  for (std::uint64_t first = 0; first + layout_.block_chunks <= layout_.chunks;) {
    const std::size_t left = (layout_.chunks - first) / layout_.block_chunks;
    const std::size_t blocks = std::min(left, most_blocks);
    std::byte* const memory = block_memory(static_cast<ChunkNumber>(first));
    if (::mincore(memory, blocks * block_pages * kPageSize, resident.data()) != 0) return;
    for (std::size_t block = 0; block < blocks; ++block) {
      const auto* const pages = resident.data() + block * block_pages;
      if (std::any_of(pages, pages + block_pages, [](unsigned char page) { return (page & 1) != 0; }))
        give_block_back(static_cast<ChunkNumber>(first + block * layout_.block_chunks));
    }
    first += blocks * layout_.block_chunks;
  }
}

// With the locks of all its chunks held, which are free afterwards as all that was there is zero: nobody who may change
// a chunk is in it, and who reads one sees that its generation is another.
bool HashTable::give_block_back(ChunkNumber first) noexcept {
  const ChunkNumber end = first + layout_.block_chunks;
  const auto is_empty = [&](ChunkNumber number) { return control(chunk(number)).bits() == 0; };
  for (ChunkNumber number = first; number < end; ++number)
    if (!is_empty(number)) return false;
  ChunkNumber held = first;
  while (held < end && try_lock(chunk(held).lock)) ++held;
  bool gives = held == end && habits_->bias.lets_pass(this_owner());
  for (ChunkNumber number = first; gives && number < end; ++number) gives = is_empty(number);
  std::atomic_ref(state_->given).fetch_add(1);  // before a chunk of it may begin a generation
  if (gives && ::madvise(block_memory(first), layout_.block_chunks * layout_.chunk_bytes, MADV_REMOVE) == 0)
    return true;
  for (ChunkNumber number = first; number < held; ++number) unlock(chunk(number).lock);
  return false;
}

}  // namespace skep::maps
