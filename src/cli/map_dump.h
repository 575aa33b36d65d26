// Map contents as text and as JSON, by the types BTF gives: what read_map() read, for people and for tools.
//
// The JSON form of a map is what a map file takes (docs/map-files.md). Tested by: cli/map_file_test.cc (there and
// back).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "btf/btf.h"
#include "cli/map_reader.h"

namespace skep::cli {

// A value of this type; hexadecimal text where there is no type, or where JSON has no such thing.
nlohmann::ordered_json decode(const btf::Btf* btf, std::uint32_t type, Bytes value);

// An array of {"key", "value"} (or "values" by CPU), an object of variables for global data, an array of records.
nlohmann::ordered_json dump_json(const MapContents& map, const btf::Btf* btf);
// The same for people: a line an element, empty arrays' elements of zeros left out and counted.
std::string dump_text(const MapContents& map, const btf::Btf* btf);

}  // namespace skep::cli
