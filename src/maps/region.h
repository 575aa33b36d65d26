// The memory file of one map: sizes, header, sealing. What every kind's region has in common.
//
// A Plan says where things lie; it is computed from the spec and the number of CPUs by whoever opens the region, never
// read from it. The header repeats the spec so that a region of another map is refused. Regions are all zero when new
// but for the header, and every kind is laid out so that zeros are an empty map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/mapping.h"
#include "base/result.h"
#include "spec/map_spec.h"

namespace skep::maps {

inline constexpr std::size_t kPageSize = 4096;

// One page of the region. Only the words after `seed` change.
struct Header {
  std::uint64_t magic;
  std::uint32_t id;
  std::uint32_t type;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t flags;
  std::uint64_t extra;
  std::uint32_t cpus;
  std::uint32_t reserved;
  std::uint64_t seed;  // of hash functions
  std::uint32_t frozen;
  std::uint32_t writers;  // writable mappings that users hold
  std::byte kind[3968];   // small mutable state of the kind
  std::byte habits[64];   // who uses the map how (maps/bias.h): no part of what it holds
};
static_assert(sizeof(Header) == kPageSize && offsetof(Header, habits) % 64 == 0);

// Lays out blocks one after the other. Sizes that no address space holds make it invalid().
class Planner {
 public:
  // The offset of `count` items of `size` bytes, aligned to `align`, a power of two.
  std::size_t place(std::uint64_t count, std::uint64_t size, std::size_t align) noexcept;
  std::size_t bytes() const noexcept { return end_; }
  bool invalid() const noexcept { return invalid_; }

 private:
  std::size_t end_ = 0;
  bool invalid_ = false;
};

struct Plan {
  std::size_t header_at = 0;
  std::size_t bytes = 0;     // of the whole file, whole pages
  std::size_t resident = 0;  // bytes from the start that are allocated at creation
};

// What the header of a map's file says, for those who only show it: whoever may write the file may have written that.
// Nothing when it has none, or cannot be read.
struct Description {
  std::uint32_t id, type, key_size, value_size, max_entries, flags;
  std::uint64_t extra;
  bool is_frozen;
};
std::optional<Description> describe(int memfd) noexcept;

class Region {
 public:
  Region() = default;
  static Result<Region> create(const Plan& plan, const spec::MapSpec& spec, spec::MapId id, unsigned cpus);
  static Result<Region> open(Fd memfd, const Plan& plan, const spec::MapSpec& spec, unsigned cpus);

  std::byte* data() const noexcept { return mapping_.data(); }
  Header& header() const noexcept { return *reinterpret_cast<Header*>(data() + header_at_); }
  int fd() const noexcept { return fd_.get(); }
  Fd take_fd() noexcept { return std::move(fd_); }

 private:
  static Result<Region> map(Fd fd, const Plan& plan);

  Fd fd_;
  Mapping mapping_;
  std::size_t header_at_ = 0;
};

}  // namespace skep::maps
