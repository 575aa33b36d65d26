// Map files: first contents of maps and global data, as JSON (docs/map-files.md).
//
// Errors name the file, the entry and the path inside it. Tested by: cli/map_file_test.cc.
#pragma once

#include <string>
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
  // Bytes of a value as bpf(2) takes it.
  std::size_t update_bytes() const { return cpus == 0 ? value_size : round_up(value_size, 8) * cpus; }
};

struct MapEntry {
  std::vector<std::byte> key, value;  // value: update_bytes()
};

// `btf` may be null. The entries of a map, in the order of the file.
Result<std::vector<MapEntry>> read_entries(const std::string& path, const MapShape& shape, const btf::Btf* btf);

// Applies the variables a file names to the contents of a global data section (".rodata").
Result<> read_variables(const std::string& path, const std::string& section, const btf::Btf* btf,
                        MutableBytes contents);

}  // namespace skep::cli
