// JSON to bytes, by a BTF type: what a map file's keys, values and variables mean (docs/map-files.md).
//
// Errors are EINVAL and begin with the path, which starts with the caller's: `key.addr: "10.0.0" is not an IPv4 address
// and the place has 4 bytes`. Tested by: cli/map_file_test.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/btf.h"

namespace skep::cli {

// Encodes `value` into `out`, which is zeroed and has the type's size.
Result<> encode(const btf::Btf& btf, std::uint32_t type, const nlohmann::json& value, std::string_view path,
                MutableBytes out);
// The same where no type is known: hexadecimal text, arrays of bytes, numbers of 1, 2, 4 or 8 bytes.
Result<> encode_untyped(const nlohmann::json& value, std::string_view path, MutableBytes out);

}  // namespace skep::cli
