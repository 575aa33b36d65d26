#include "hive/descriptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/proc_path.h"

namespace skep::hive {
namespace {

// A file position has 63 bits: id 32, tag 22, access 2, magic 7. No file system lets a file end near there.
constexpr unsigned kTagShift = 32;
constexpr unsigned kAccessShift = kTagShift + kPositionTagBits;
constexpr unsigned kMagicShift = kAccessShift + 2;
constexpr std::uint64_t kPositionMagic = 0x5c;
constexpr std::uint64_t kEventAccess = 3;  // which is no map's
constexpr std::uint64_t kTagMask = (std::uint64_t{1} << kPositionTagBits) - 1;

constexpr std::array kKinds = {std::string_view("map"), std::string_view("prog"), std::string_view("btf"),
                               std::string_view("link")};
constexpr std::string_view kPrefix = "skep-";

std::string error_text(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// "prog-0123456789abcdef-1-7" (behind the prefix): kind, tag, id, serial.
std::optional<Identity> parse(std::string_view name) noexcept {
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    if (!name.starts_with(kKinds[kind])) continue;
    name.remove_prefix(kKinds[kind].size());
    Identity identity{.kind = static_cast<Kind>(kind)};
    const char* end = name.data() + name.size();
    if (!name.starts_with('-')) return std::nullopt;
    const auto [after_tag, tag_error] = std::from_chars(name.data() + 1, end, identity.tag, 16);
    if (tag_error != std::errc() || after_tag == end || *after_tag != '-') return std::nullopt;
    const auto [after_id, id_error] = std::from_chars(after_tag + 1, end, identity.id);
    if (id_error != std::errc() || after_id == end || *after_id != '-') return std::nullopt;
    return identity;
  }
  return std::nullopt;
}

int open_flags(Access access) noexcept {
  switch (access) {
    case Access::ReadWrite: return O_RDWR;
    case Access::ReadOnly: return O_RDONLY;
    case Access::WriteOnly: return O_WRONLY;
  }
  __builtin_unreachable();
}

std::int64_t word_of(std::uint64_t access, std::uint64_t tag, std::uint32_t id) noexcept {
  return static_cast<std::int64_t>(kPositionMagic << kMagicShift | access << kAccessShift |
                                   (tag & kTagMask) << kTagShift | id);
}

}  // namespace

std::int64_t position_of(const Identity& identity) noexcept {
  return word_of(static_cast<std::uint8_t>(identity.access), identity.tag, identity.id);
}

std::int64_t event_position(std::uint64_t tag, std::uint32_t id) noexcept { return word_of(kEventAccess, tag, id); }
bool is_event(std::int64_t position) noexcept {
  return static_cast<std::uint64_t>(position) >> kAccessShift == (kPositionMagic << 2 | kEventAccess);
}
std::optional<std::uint32_t> event_of(std::int64_t position, std::uint64_t tag) noexcept {
  const auto id = static_cast<std::uint32_t>(position);
  return position == event_position(tag, id) ? std::optional(id) : std::nullopt;
}

std::optional<Identity> from_position(std::int64_t position) noexcept {
  const auto word = static_cast<std::uint64_t>(position);
  const std::uint64_t access = word >> kAccessShift & 3;
  if (word >> kMagicShift != kPositionMagic || access > 2) return std::nullopt;
  return Identity{.kind = Kind::Map,
                  .tag = word >> kTagShift & kTagMask,
                  .id = static_cast<std::uint32_t>(word),
                  .access = static_cast<Access>(access)};
}

std::optional<Identity> from_socket(int fd) noexcept {
  sockaddr_un peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return std::nullopt;
  if (peer.sun_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path) + 1 || peer.sun_path[0] != '\0')
    return std::nullopt;
  std::string_view name(peer.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  return parse(name);
}

Result<Fd> reopen_map(int memfd, const Identity& identity) {
  return reopen_memory(memfd, open_flags(identity.access), position_of(identity));
}

Result<Fd> reopen_memory(int memfd, int access, std::int64_t position) {
  Fd fd(::open(ProcPath(memfd).text, access | O_CLOEXEC));
  if (!fd) return fail(errno, error_text("an object's file cannot be opened again"));
  if (::lseek(fd.get(), position, SEEK_SET) < 0)
    return fail(errno, error_text("an object's file cannot hold its position"));
  return fd;
}

// A lease is refused while somebody has the file open in a way that it would have to guard: F_RDLCK while it is open
// for writing, which most users have it, F_WRLCK while it is open at all; the creation description counts as neither.
bool has_users(int memfd) noexcept {
  // Should somebody open the file while the lease is held, the news is a signal that is ignored by default.
  ::fcntl(memfd, F_SETSIG, SIGURG);
  if (::fcntl(memfd, F_SETLEASE, F_RDLCK) == 0)
    ::fcntl(memfd, F_SETLEASE, F_UNLCK);
  else if (errno == EAGAIN)
    return true;
  const Fd probe(::open(ProcPath(memfd).text, O_RDWR | O_CLOEXEC));
  if (!probe) return true;  // no descriptor to ask with: keep the object
  ::fcntl(probe.get(), F_SETSIG, SIGURG);
  return ::fcntl(probe.get(), F_SETLEASE, F_WRLCK) != 0;
}

Result<Ends> make_ends(const Identity& identity, std::uint32_t serial) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail(errno, error_text("no socket pair for an object"));
  Ends ends{.user = Fd(pair[0]), .hive = Fd(pair[1])};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string_view kind = kKinds[static_cast<std::size_t>(identity.kind)];
  const int length = std::snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "%s%s-%llx-%u-%u", kPrefix.data(),
                                   kind.data(), static_cast<unsigned long long>(identity.tag), identity.id, serial);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<std::size_t>(length));
  if (::bind(ends.hive.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0)
    return fail(errno, error_text("an object's socket cannot be named"));
  return ends;
}

bool hung_up(int hive_end) noexcept {
  pollfd poll{.fd = hive_end, .events = 0, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLHUP | POLLNVAL)) != 0;
}

}  // namespace skep::hive
