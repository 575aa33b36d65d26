#include "maps/arena_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/proc_path.h"
#include "maps/lock.h"
#include "maps/words.h"

namespace skep::maps {
namespace {

constexpr std::uint32_t kBits = 64;

}  // namespace

Result<Plan> ArenaMap::plan(const spec::MapSpec& spec, unsigned) {
  const std::size_t pages = std::size_t{spec.max_entries} * kPageSize;
  const std::size_t bits = round_up(spec.max_entries, kBits) / kBits * sizeof(Bits);
  return Plan{.header_at = pages, .bytes = pages + kPageSize + round_up(bits, kPageSize), .resident = 0};
}

ArenaMap::ArenaMap(Parts&& parts) : EmptyMap(std::move(parts)) {
  if (fd_) contents_ = Fd(::open(ProcPath(fd_.get()).text, O_RDONLY | O_CLOEXEC));
  if (spec_.extra != 0) set_users(spec_.extra);
}

std::uint64_t ArenaMap::users() const noexcept { return get(state().users); }

bool ArenaMap::set_users(std::uint64_t address) noexcept {
  std::uint64_t before = 0;
  return std::atomic_ref(state().users).compare_exchange_strong(before, address) || before == address;
}

ArenaMap::Bits& ArenaMap::bits_of(std::uint32_t page) const noexcept {
  return reinterpret_cast<Bits*>(region_.data() + place().bytes + kPageSize)[page / kBits];
}

bool ArenaMap::is_given(std::uint32_t page) const noexcept {
  return (get(bits_of(page).given) >> page % kBits & 1) != 0;
}

// Given back, and not written to since.
bool ArenaMap::is_only_read(std::uint32_t page) const noexcept {
  static constexpr std::byte kEmpty[kPageSize] = {};
  return (get(bits_of(page).given_back) >> page % kBits & 1) != 0 &&
         std::memcmp(region_.data() + std::uint64_t{page} * kPageSize, kEmpty, kPageSize) == 0;
}

void ArenaMap::give(std::uint32_t page) noexcept {
  Bits& bits = bits_of(page);
  set(bits.given, get(bits.given) | std::uint64_t{1} << page % kBits);
}

void ArenaMap::give_back(std::uint32_t page) noexcept {
  Bits& bits = bits_of(page);
  const std::uint64_t bit = std::uint64_t{1} << page % kBits;
  set(bits.given_back, get(bits.given_back) | bit);
  set(bits.given, get(bits.given) & ~bit);
}

// The first page that has memory, so that somebody has touched it.
std::uint32_t ArenaMap::first_touched(std::uint32_t page, std::uint32_t end) noexcept {
  const off_t at = ::lseek(contents_.get(), static_cast<off_t>(std::uint64_t{page} * kPageSize), SEEK_DATA);
  if (at < 0) return end;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(at) / kPageSize, end));
}

// The first page that is somebody's: a user's that touched it becomes his here.
std::uint32_t ArenaMap::first_given(std::uint32_t page, std::uint32_t end) noexcept {
  for (std::uint32_t touched = first_touched(page, end); page < end; ++page) {
    if (is_given(page)) return page;
    if (page < touched) continue;
    if (!is_only_read(page)) {
      give(page);
      return page;
    }
    touched = first_touched(page + 1, end);
  }
  return end;
}

bool ArenaMap::is_free(std::uint64_t page, std::uint32_t count) noexcept {
  if (page > spec_.max_entries - count) return false;
  const auto first = static_cast<std::uint32_t>(page);
  return first_given(first, first + count) == first + count;
}

// The first of so many free pages in a row; max_entries: there are none.
std::uint32_t ArenaMap::find_free(std::uint32_t count) noexcept {
  const std::uint32_t lowest = std::min(get(state().lowest), spec_.max_entries);
  std::uint32_t first = lowest;
  while (first <= spec_.max_entries - count) {
    const std::uint32_t given = first_given(first, first + count);
    if (given != first + count) {
      first = given + 1;
      continue;
    }
    if (first == lowest || count == 1) set(state().lowest, first + count);
    return first;
  }
  return spec_.max_entries;
}

std::uint64_t ArenaMap::allocate(std::uint64_t address, std::uint32_t count) noexcept {
  const std::uint64_t user = users();
  if (user == 0 || count == 0 || count > spec_.max_entries || address % kPageSize != 0) return 0;
  const Guard guard(state().lock, [&] { set(state().lowest, 0U); });
  if (!guard) return 0;
  const std::uint64_t first = address != 0 ? place().offset_of(address) / kPageSize : find_free(count);
  if (first == spec_.max_entries || (address != 0 && !is_free(first, count))) return 0;
  for (std::uint32_t page = 0; page < count; ++page) give(static_cast<std::uint32_t>(first) + page);
  return user + first * kPageSize;
}

void ArenaMap::release(std::uint64_t address, std::uint32_t count) noexcept {
  const std::uint64_t first = place().offset_of(address) / kPageSize;
  if (users() == 0 || first >= spec_.max_entries) return;
  const std::uint64_t end = std::min<std::uint64_t>(first + count, spec_.max_entries);
  const Guard guard(state().lock, [&] { set(state().lowest, 0U); });
  if (!guard) return;
  ::madvise(region_.data() + first * kPageSize, (end - first) * kPageSize, MADV_REMOVE);
  for (std::uint64_t page = first; page < end; ++page) give_back(static_cast<std::uint32_t>(page));
  set(state().lowest, std::min(get(state().lowest), static_cast<std::uint32_t>(first)));
}

}  // namespace skep::maps
