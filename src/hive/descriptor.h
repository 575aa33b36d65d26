// What a file descriptor says about itself: which object of which hive it is.
//
// Never looked up in a table of descriptor numbers, which dup, fork, exec and closes behind our back defeat. A map is a
// memfd whose file position is a word: a magic number, how it may be accessed, the tag of the hive it came from, its
// id. Programs, BTFs and links are one end of a socket pair; the hive's end is bound to an abstract name that says the
// same, which getpeername() reads. The last close of a map is seen by F_SETLEASE, of the others by a hang-up.
// Both survive dup, fork and SCM_RIGHTS. Cost: 0.15 us for a map, 0.4 us for the others; has_users()
// 1 us where somebody may write, else 7 us.
// Tested by: hive/lifetime_test.cc, hive/map_elem_test.cc.
#pragma once

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace skep::hive {

enum class Kind : std::uint8_t { Map, Prog, Btf, Link };

// What a map's descriptor allows its holder (BPF_F_RDONLY, BPF_F_WRONLY).
enum class Access : std::uint8_t { ReadWrite, ReadOnly, WriteOnly };

struct Identity {
  Kind kind = Kind::Map;
  std::uint64_t tag = 0;  // of the hive; maps show its low kPositionTagBits only
  std::uint32_t id = 0;
  Access access = Access::ReadWrite;
};

inline constexpr unsigned kPositionTagBits = 22;

// The file position that says `identity`, and back; nothing when it says nothing.
std::int64_t position_of(const Identity& identity) noexcept;
std::optional<Identity> from_position(std::int64_t position) noexcept;

// The same of a perf event (hive/perf_output.h), which has an id of its own and whose position says nothing else.
std::int64_t event_position(std::uint64_t tag, std::uint32_t id) noexcept;
bool is_event(std::int64_t position) noexcept;
std::optional<std::uint32_t> event_of(std::int64_t position, std::uint64_t tag) noexcept;  // of this hive

// The identity of `fd` as a socket end; nothing when it is none.
std::optional<Identity> from_socket(int fd) noexcept;

// Another description of the memory file behind `memfd`, for a user, close-on-exec: of a map, of any.
Result<Fd> reopen_map(int memfd, const Identity& identity);
Result<Fd> reopen_memory(int memfd, int access, std::int64_t position);
// Whether anybody has the memory file behind `memfd` open or mapped, apart from its creation description.
bool has_users(int memfd) noexcept;

// A new socket pair: the user's end, which says `identity`, and the hive's.
struct Ends {
  Fd user;
  Fd hive;
};
Result<Ends> make_ends(const Identity& identity, std::uint32_t serial);
// Whether the last descriptor of the other end has been closed.
bool hung_up(int hive_end) noexcept;

}  // namespace skep::hive
