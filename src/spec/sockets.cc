#include "spec/sockets.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

enum class Of : std::uint8_t { Full, Shared, Tcp, Xdp };

// Which reads a field takes, beside being aligned to their size.
enum class Widths : std::uint8_t {
  Whole,   // 4 bytes
  Narrow,  // 1, 2 or 4 bytes
  Head,    // 1, 2 or 4 bytes from the field's start
  Low16,   // 4 bytes, or 1 or 2 of the first two
  Long,    // 8 bytes, or the upper 4
};

struct Row {
  Of of;
  std::uint32_t offset;
  std::uint32_t bytes;
  Widths widths;
};

constexpr std::array kRows{
#define SOCKET_FIELD(socket, name, offset, bytes, widths) Row{Of::socket, offset, bytes, Widths::widths},
#include "spec/socket_fields.def"
#undef SOCKET_FIELD
};

bool has(SocketKind socket, Of of) noexcept {
  switch (socket) {
    case SocketKind::Full: return of == Of::Full || of == Of::Shared;
    case SocketKind::Common: return of == Of::Shared;
    case SocketKind::Tcp: return of == Of::Tcp;
    case SocketKind::Xdp: return of == Of::Xdp;
  }
  return false;
}

bool fits(const Row& row, std::uint32_t at, std::uint32_t size) noexcept {
  switch (row.widths) {
    case Widths::Whole: return size == 4;
    case Widths::Narrow: return size <= 4;
    case Widths::Head: return at == 0 && size <= 4;
    case Widths::Low16: return size == 4 || at + size <= 2;
    case Widths::Long: return at == 0 ? size == 8 : at == 4 && size == 4;
  }
  return false;
}

}  // namespace

bool can_read(SocketKind socket, std::int64_t offset, std::uint32_t size) noexcept {
  if (offset < 0 || size == 0 || offset % size != 0) return false;
  return std::ranges::any_of(kRows, [&](const Row& row) {
    const std::int64_t at = offset - row.offset;
    return has(socket, row.of) && at >= 0 && at + size <= row.bytes && fits(row, static_cast<std::uint32_t>(at), size);
  });
}

}  // namespace skep::spec
