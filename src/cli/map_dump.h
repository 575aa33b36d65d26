// Map contents as text and as JSON, by the types BTF gives: what read_map() read, for people and for tools.
//
// The JSON form of a map is what a map file takes (docs/map-files.md). Tested by: cli/map_file_test.cc (there and
// back).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "btf/btf.h"
#include "cli/map_reader.h"

namespace skep::cli {

// A value of this type; hexadecimal text where there is no type, or where JSON has no such thing.
nlohmann::ordered_json decode(const btf::Btf* btf, std::uint32_t type, Bytes value);

// How the values of per-CPU maps are shown: each, or added up where they are numbers all through.
enum class PerCpuForm : std::uint8_t { Each, Sum };
// All CPUs' values (as bpf(2) gives them) as one; nothing where they differ in more than numbers.
std::optional<nlohmann::ordered_json> summed(const MapShape& shape, const btf::Btf* btf, Bytes values);

struct DumpOptions {
  PerCpuForm per_cpu = PerCpuForm::Each;
  std::size_t most = 200;  // lines of text
};

// {"key", "value"}, or "values" by CPU.
nlohmann::ordered_json entry_json(const MapContents& map, const btf::Btf* btf, const MapEntry& entry,
                                  PerCpuForm per_cpu = PerCpuForm::Each);
// An array of entries, an object of variables for global data, an array of records.
nlohmann::ordered_json dump_json(const MapContents& map, const btf::Btf* btf, const DumpOptions& options = {});
// The same for people: a line an element, arrays' elements of zeros left out and counted.
std::string dump_text(const MapContents& map, const btf::Btf* btf, const DumpOptions& options = {});
// One value as one line: by its type, else its bytes.
std::string value_line(const btf::Btf* btf, std::uint32_t type, Bytes value);

}  // namespace skep::cli
