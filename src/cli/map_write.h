// Whole files into a map: JSON as docs/map-files.md says, or CSV. Tested by: tests/map_command.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/live_map.h"

namespace skep::cli {

// --format json|csv
void add_format_option(CLI::App& command, std::string& format);
// What a file's format is: the one asked for, else by its name.
enum class FileFormat : std::uint8_t { Json, Csv };
FileFormat format_of(const std::string& asked, const std::string& file);

// Writes the entries of a file ("-": standard input) one after the other; stops at the first that the map refuses. How
// many were written. Input, Refused.
Expected<std::size_t> write_file(const LiveMap& map, const std::string& file, const std::string& format,
                                 std::uint64_t flags);

}  // namespace skep::cli
