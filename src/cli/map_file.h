// Map files: first contents of maps and global data, as JSON (docs/map-files.md).
//
// Errors name the file, the entry and the path inside it. Tested by: cli/map_file_test.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/btf.h"

namespace skep::cli {

struct MapShape {
  std::string name;
  std::uint32_t key_size = 0, value_size = 0;
  std::uint32_t key_type = 0, value_type = 0;  // BTF ids; 0: unknown
  unsigned cpus = 0;                           // per-CPU maps: how many values an entry has; else 0
  std::uint32_t type = 0, max_entries = 0;     // spec::MapType
  // Bytes of a value as bpf(2) takes it.
  std::size_t update_bytes() const { return cpus == 0 ? value_size : round_up(value_size, 8) * cpus; }
};

struct MapEntry {
  std::vector<std::byte> key, value;  // value: update_bytes()
};

// Everywhere `btf` may be null. A key, and a value, which every CPU of a per-CPU map gets; their errors begin with
// "key" or "value".
Result<std::vector<std::byte>> encode_key(const MapShape& shape, const btf::Btf* btf, const nlohmann::json& from);
Result<std::vector<std::byte>> encode_value(const MapShape& shape, const btf::Btf* btf, const nlohmann::json& from);
// {"key": .., "value": ..} or {"key": .., "values": ..}.
Result<MapEntry> encode_entry(const MapShape& shape, const btf::Btf* btf, const nlohmann::json& from);

// A file or, for "-", standard input.
Result<std::string> read_text_file(const std::string& path);
// The entries of a map, in the order of the file.
Result<std::vector<MapEntry>> read_entries(const std::string& path, const MapShape& shape, const btf::Btf* btf);
// The same from a file's text; `path` is for messages.
Result<std::vector<MapEntry>> parse_entries(const std::string& path, std::string_view text, const MapShape& shape,
                                            const btf::Btf* btf);

// Applies the variables a file names to the contents of a global data section (".rodata").
Result<> read_variables(const std::string& path, const std::string& section, const btf::Btf* btf,
                        MutableBytes contents);

}  // namespace skep::cli
