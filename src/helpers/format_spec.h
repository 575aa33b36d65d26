// One conversion of a format, parsed. Used by format.cc.
#pragma once

#include <cstdint>
#include <string_view>

namespace skep::helpers {

struct FormatSpec {
  enum class Kind : std::uint8_t {
    Percent,
    Signed,
    Unsigned,
    Hex,
    HexUpper,
    Char,
    String,
    PointerString,  // %pks, %pus
    HashedPointer,  // %p, %pK
    RawPointer,     // %px
    Symbol,         // %ps, %pS
    SymbolText,     // %pB: made into text when arguments are read
    Ip4,
    Ip4Zeros,
    Ip6,
    Ip6Plain,
  };
  Kind kind = Kind::Percent;
  bool left = false, plus = false, space = false, zeros = false;
  bool wide = false;        // an argument of 8 bytes
  std::int32_t width = -1;  // -1: none
  bool is_pointer() const noexcept { return kind >= Kind::PointerString; }
};

// Parses the conversion at the start of `text` (its per cent sign) and takes it off; false: malformed.
bool take_spec(std::string_view& text, FormatSpec& spec) noexcept;

}  // namespace skep::helpers
