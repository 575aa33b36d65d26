#include "cli/map_write.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/map_csv.h"
#include "cli/map_failure.h"
#include "cli/map_file.h"
#include "cli/progress.h"
#include "cli/table.h"

namespace skep::cli {
namespace {

bool has_file_form(const LiveMap& map) {
  return map.elements() == Elements::Values || map.elements() == Elements::PerCpu;
}

Expected<std::vector<MapEntry>> entries_of(const LiveMap& map, const std::string& file, const std::string& format) {
  const Result<std::string> text = read_text_file(file);
  if (!text) return give_up(Exit::Input, text.error().message);
  const std::string name = file == "-" ? "standard input" : file;
  Result<std::vector<MapEntry>> entries = format_of(format, file) == FileFormat::Csv
                                              ? parse_csv_entries(name, *text, map.shape, map.types.get())
                                              : parse_entries(name, *text, map.shape, map.types.get());
  if (!entries) return give_up(Exit::Input, entries.error().message);
  return *std::move(entries);
}

}  // namespace

void add_format_option(CLI::App& command, std::string& format) {
  command
      .add_option("--format", format, "of the file: json or csv (default: csv for names that end in .csv, else json)")
      ->check(CLI::IsMember({"json", "csv"}))
      ->type_name("FORMAT");
}

FileFormat format_of(const std::string& asked, const std::string& file) {
  return asked == "csv" || (asked.empty() && file.ends_with(".csv")) ? FileFormat::Csv : FileFormat::Json;
}

Expected<std::size_t> write_file(const LiveMap& map, const std::string& file, const std::string& format,
                                 std::uint64_t flags) {
  if (!has_file_form(map)) {
    return give_up(Exit::Usage, fmt::format("map {} is of type {}, whose elements have no file form", map.shape.name,
                                            map.type_name()));
  }
  auto entries = entries_of(map, file, format);
  if (!entries) return std::unexpected(entries.error());
  Progress progress;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    MapEntry& entry = (*entries)[i];
    const long error = map.call(spec::Command::MapUpdateElem, entry.key.data(), entry.value.data(), flags);
    if (error < 0) {
      Failure failure = element_failure(map, {.doing = Doing::Update, .flags = flags, .key = entry.key}, error);
      failure.message = fmt::format("{}: entry {}: {}", file, i + 1, failure.message);
      if (i != 0) failure.message += fmt::format(" ({} before it were written)", i);
      return std::unexpected(failure);
    }
    progress.show([&] { return fmt::format("{} of {} entries", grouped(i), grouped(entries->size())); });
  }
  return entries->size();
}

}  // namespace skep::cli
