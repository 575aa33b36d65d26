// The format language of bpf_trace_printk, bpf_snprintf and the like, as far as the format alone tells: one conversion,
// parsed, and whether a whole format is well-formed. helpers/format.h says what the language is. Tested by:
// spec/format_spec_test.cc, helpers/format_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skep::spec {

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

// Whether bpf_snprintf takes this format (without its NUL) with so many arguments: printable ASCII and blanks,
// well-formed conversions, an argument for each.
bool valid_format(std::string_view format, std::size_t arguments) noexcept;

}  // namespace skep::spec
