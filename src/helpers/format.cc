#include "helpers/format.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "helpers/safe_read.h"
#include "spec/format_spec.h"

namespace skep::helpers {

namespace {

using spec::FormatSpec;
using spec::take_spec;
using Kind = FormatSpec::Kind;

// Text that is cut where the room ends and counted to its end.
class Text {
 public:
  explicit Text(std::span<char> to) noexcept : to_(to) {}
  void put(char c) noexcept {
    if (length_ < to_.size()) to_[length_] = c;
    ++length_;
  }
  void put(std::string_view text) noexcept {
    for (const char c : text) put(c);
  }
  void fill(char c, std::int64_t count) noexcept {
    if (count <= 0) return;
    const auto n = static_cast<std::size_t>(count);
    const std::size_t room = length_ < to_.size() ? to_.size() - length_ : 0;
    std::fill_n(to_.data() + (to_.size() - room), std::min(n, room), c);
    length_ += n;
  }
  // Ends the text with a NUL: its whole length.
  std::int64_t finish() noexcept {
    if (!to_.empty()) to_[std::min(length_, to_.size() - 1)] = '\0';
    return static_cast<std::int64_t>(length_);
  }

 private:
  std::span<char> to_;
  std::size_t length_ = 0;
};

// ---- integers and text with their width
struct Digits {
  std::array<char, 24> room;
  std::size_t start = sizeof room;
  void push(char c) noexcept { room[--start] = c; }
  std::string_view view() const noexcept { return {room.data() + start, room.size() - start}; }
};

Digits digits_of(std::uint64_t value, unsigned base, bool upper) noexcept {
  constexpr std::string_view small = "0123456789abcdef", large = "0123456789ABCDEF";
  Digits digits;
  do {
    digits.push((upper ? large : small)[value % base]);
    value /= base;
  } while (value != 0);
  return digits;
}

void put_number(Text& text, const FormatSpec& spec, std::string_view sign, std::string_view digits) noexcept {
  const std::int64_t padding = spec.width - static_cast<std::int64_t>(sign.size() + digits.size());
  if (!spec.left && !spec.zeros) text.fill(' ', padding);
  text.put(sign);
  if (!spec.left && spec.zeros) text.fill('0', padding);
  text.put(digits);
  if (spec.left) text.fill(' ', padding);
}

void put_signed(Text& text, const FormatSpec& spec, std::int64_t value) noexcept {
  const std::string_view sign = value < 0 ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  const auto bits = static_cast<std::uint64_t>(value);
  put_number(text, spec, sign, digits_of(value < 0 ? 0 - bits : bits, 10, false).view());
}

void put_padded(Text& text, const FormatSpec& spec, std::string_view what) noexcept {
  const std::int64_t padding = spec.width - static_cast<std::int64_t>(what.size());
  if (!spec.left) text.fill(' ', padding);
  text.put(what);
  if (spec.left) text.fill(' ', padding);
}

// 16 digits unless a width says otherwise.
void put_pointer(Text& text, FormatSpec spec, std::uint64_t value) noexcept {
  if (spec.width == -1) {
    spec.width = 16;
    spec.zeros = true;
  }
  put_number(text, spec, "", digits_of(value, 16, false).view());
}

std::uint64_t stand_in(std::uint64_t pointer) noexcept {
  constexpr std::uint64_t kLastErrno = 4095;
  if (pointer == 0 || pointer >= 0 - kLastErrno) return pointer;
  const std::uint64_t mixed = (pointer ^ (pointer >> 29)) * 0x9e3779b97f4a7c15U;
  return static_cast<std::uint32_t>(mixed >> 32);
}

void put_symbol(Text& text, const FormatSpec& spec, std::uint64_t address) noexcept {
  Digits digits = digits_of(address, 16, false);
  digits.push('x');
  digits.push('0');
  put_padded(text, spec, digits.view());
}

// ---- IP addresses
void put_ip4(Text& text, std::span<const std::byte> bytes, bool zeros) noexcept {
  const FormatSpec three{.kind = Kind::Unsigned, .zeros = true, .width = zeros ? 3 : -1};
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) text.put('.');
    put_number(text, three, "", digits_of(std::to_integer<unsigned>(bytes[i]), 10, false).view());
  }
}

void put_ip6(Text& text, std::span<const std::byte> bytes, bool colons) noexcept {
  constexpr std::string_view hex = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    if (colons && i != 0 && i % 2 == 0) text.put(':');
    text.put(hex[std::to_integer<unsigned>(bytes[i]) >> 4]);
    text.put(hex[std::to_integer<unsigned>(bytes[i]) & 15]);
  }
}

void put_address(Text& text, Kind kind, std::uint64_t address) noexcept {
  std::array<std::byte, 16> bytes{};
  const bool short_one = kind == Kind::Ip4 || kind == Kind::Ip4Zeros;
  if (!safe_read(address, MutableBytes(bytes).first(short_one ? 4 : 16))) bytes = {};
  if (short_one)
    put_ip4(text, bytes, kind == Kind::Ip4Zeros);
  else
    put_ip6(text, bytes, kind == Kind::Ip6);
}

// ---- arguments, gathered before anything is printed
class Arguments {
 public:
  // Reads the argument of a conversion into the room: 0 or -ENOSPC.
  int gather(const FormatSpec& spec, std::uint64_t value) noexcept {
    switch (spec.kind) {
      case Kind::Percent: return 0;
      case Kind::Char: return gather_char(value);
      case Kind::String:
      case Kind::PointerString: return gather_string(value);
      case Kind::SymbolText:
      case Kind::Ip4:
      case Kind::Ip4Zeros:
      case Kind::Ip6:
      case Kind::Ip6Plain: return gather_text(spec.kind, value);
      case Kind::Signed:
      case Kind::Unsigned:
      case Kind::Hex:
      case Kind::HexUpper:
      case Kind::HashedPointer:
      case Kind::RawPointer:
      case Kind::Symbol: return gather_number(spec.wide ? 8 : 4);
    }
    return 0;
  }
  // The text of a string, in the order gathered.
  std::string_view next_text() noexcept {
    const std::string_view text = room_.data() + next_;
    next_ += text.size() + 1;
    return text;
  }
  void next_char() noexcept { ++next_; }
  void next_number(std::size_t size) noexcept { next_ = round_up(next_, 4) + size; }

 private:
  int gather_char(std::uint64_t value) noexcept {
    if (used_ == room_.size()) return -ENOSPC;
    room_[used_++] = static_cast<char>(value);
    return 0;
  }
  int gather_number(std::size_t size) noexcept {
    used_ = round_up(used_, 4);
    if (used_ + size > room_.size()) return -ENOSPC;
    used_ += size;
    return 0;
  }
  int gather_string(std::uint64_t address) noexcept {
    if (used_ == room_.size()) return -ENOSPC;
    const std::span<char> rest = std::span(room_).subspan(used_);
    const std::int64_t length = safe_read_string(address, std::as_writable_bytes(rest));
    if (length < 0) rest[0] = '\0';
    used_ += length < 0 ? 1 : static_cast<std::size_t>(length);
    return 0;
  }
  int gather_text(Kind kind, std::uint64_t value) noexcept {
    const std::size_t least = kind == Kind::SymbolText ? 1 : kind == Kind::Ip4 || kind == Kind::Ip4Zeros ? 4 : 16;
    if (room_.size() - used_ < least) return -ENOSPC;
    Text text{std::span(room_).subspan(used_)};
    if (kind == Kind::SymbolText)
      put_symbol(text, {}, value);
    else
      put_address(text, kind, value);
    used_ = std::min(used_ + static_cast<std::size_t>(text.finish()) + 1, room_.size());
    return 0;
  }

  std::array<char, 512> room_;
  std::size_t used_ = 0;  // bytes gathered
  std::size_t next_ = 0;  // of those, handed out again
};

bool printable(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= 0x20 && byte <= 0x7e) || (byte >= 0x09 && byte <= 0x0d);
}

void print(Text& text, const FormatSpec& spec, std::uint64_t value, Arguments& gathered) noexcept {
  const std::size_t size = spec.wide ? 8 : 4;
  const std::uint64_t bits = spec.wide ? value : static_cast<std::uint32_t>(value);
  switch (spec.kind) {
    case Kind::Percent: text.put('%'); return;
    case Kind::Char:
      gathered.next_char();
      put_padded(text, spec, std::string_view(std::array{static_cast<char>(value)}.data(), 1));
      return;
    case Kind::String: put_padded(text, spec, gathered.next_text()); return;
    case Kind::PointerString:
    case Kind::SymbolText:
    case Kind::Ip4:
    case Kind::Ip4Zeros:
    case Kind::Ip6:
    case Kind::Ip6Plain: text.put(gathered.next_text()); return;
    case Kind::Signed:
      put_signed(text, spec, spec.wide ? static_cast<std::int64_t>(value) : static_cast<std::int32_t>(value));
      break;
    case Kind::Unsigned: put_number(text, spec, "", digits_of(bits, 10, false).view()); break;
    case Kind::Hex: put_number(text, spec, "", digits_of(bits, 16, false).view()); break;
    case Kind::HexUpper: put_number(text, spec, "", digits_of(bits, 16, true).view()); break;
    case Kind::HashedPointer: put_pointer(text, spec, stand_in(value)); break;
    case Kind::RawPointer: put_pointer(text, spec, value); break;
    case Kind::Symbol: put_symbol(text, spec, value); break;
  }
  gathered.next_number(size);
}

// Checks the format and gathers its arguments: 0 or a negative errno.
int prepare(std::string_view format, std::span<const std::uint64_t> arguments, Arguments& gathered) noexcept {
  std::size_t next = 0;
  while (!format.empty()) {
    if (!printable(format[0])) return -EINVAL;
    if (format[0] != '%') {
      format.remove_prefix(1);
      continue;
    }
    if (!format.starts_with("%%") && next >= arguments.size()) return -EINVAL;
    FormatSpec spec;
    if (!take_spec(format, spec)) return -EINVAL;
    if (spec.kind == Kind::Percent) continue;
    if (const int error = gathered.gather(spec, arguments[next++])) return error;
  }
  return 0;
}

}  // namespace

std::int64_t format_text(std::span<char> to, std::string_view format,
                         std::span<const std::uint64_t> arguments) noexcept {
  Arguments gathered;
  if (const int error = prepare(format, arguments, gathered)) return error;
  Text text(to);
  for (std::size_t next = 0; !format.empty();) {
    if (format[0] != '%') {
      text.put(format[0]);
      format.remove_prefix(1);
      continue;
    }
    FormatSpec spec;
    take_spec(format, spec);
    print(text, spec, spec.kind == Kind::Percent ? 0 : arguments[next++], gathered);
  }
  return text.finish();
}

bool read_arguments(Bytes from, std::span<std::uint64_t, kMaxFormatArguments> to) noexcept {
  if (from.size() % 8 != 0 || from.size() > kMaxFormatArguments * 8 || (!from.empty() && from.data() == nullptr))
    return false;
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  return true;
}

}  // namespace skep::helpers
