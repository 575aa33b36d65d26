// Maps as tables: comma-separated values (RFC 4180) with a header line.
//
// A column is a member of the key or the value: "key", or "key.addr" and "key.port" of a structure, as deep as
// structures go; "cpu" in per-CPU maps, which have a line for each CPU. A cell is a word as the command line takes it:
// numbers, text, and arrays as JSON. What was written is read back to the same bytes.
// Tested by: tests/map_command, fuzz/map_value_fuzz.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/map_file.h"
#include "cli/map_reader.h"

namespace skep::cli {

std::string csv_text(const MapContents& map, const btf::Btf* btf);

// The entries of a table; `name` is for messages, which say the line. EINVAL.
Result<std::vector<MapEntry>> parse_csv_entries(const std::string& name, std::string_view text, const MapShape& shape,
                                                const btf::Btf* btf);

}  // namespace skep::cli
