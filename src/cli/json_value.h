// JSON to bytes, by a BTF type: what a map file's keys, values and variables mean (docs/map-files.md).
//
// Errors are EINVAL and begin with the path, which starts with the caller's: `key.addr: "10.0.0" is not an IPv4 address
// and the place has 4 bytes`. Tested by: cli/map_file_test.cc, fuzz/map_value_fuzz.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/btf.h"
#include "cli/text_forms.h"

namespace skep::cli {

// JSON with comments. EINVAL with line and column, or for brackets nested deeper than any type is.
Result<nlohmann::json> parse_json(std::string_view text);
// A word of the command line or a cell of a table: JSON if it reads as JSON, else text ("10.0.0.1" needs no quotes).
nlohmann::json parse_word(std::string_view text);
// The word that parse_word() reads as `value`.
std::string word_of(const nlohmann::ordered_json& value);

// Encodes `value` into `out`, which is zeroed and has the type's size.
Result<> encode(const btf::Btf& btf, std::uint32_t type, const nlohmann::json& value, std::string_view path,
                MutableBytes out);
// The same where no type is known: hexadecimal text, arrays of bytes, numbers of 1, 2, 4 or 8 bytes, and what
// cli/text_forms.h knows for `place`.
Result<> encode_untyped(const nlohmann::json& value, std::string_view path, Place place, MutableBytes out);

}  // namespace skep::cli
