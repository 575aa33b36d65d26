// Values written as text in map files: raw bytes, numbers, addresses, prefixes (docs/map-files.md). One table of forms.
// Tested by: cli/map_file_test.cc.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace skep::cli {

// What the place is that a text is read into.
enum class Place : std::uint8_t {
  Any,
  Integer,
  Prefix,  // a structure of a 4-byte integer and 4 or 16 bytes: the key of an LPM trie
};

// Writes `text` to `out`, whose size is the place's; false when no form fits. A form that is recognised and does not
// fit the size is none.
bool read_text(std::string_view text, Place place, MutableBytes out);

// "0a 00 01": exactly out.size() bytes, two digits each, one space between.
bool read_hex_bytes(std::string_view text, MutableBytes out);
// "0x1f" up to 64 bits.
std::optional<std::uint64_t> read_hex_number(std::string_view text);
// What text could have been at such a place, for messages: "an IPv4 address, ...".
std::string_view forms_at(Place place, std::size_t size);

}  // namespace skep::cli
