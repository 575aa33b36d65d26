#include "cli/map_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "btf/print.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kShownElements = 200;

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
}

// One line: by its type, or its bytes where there is no type.
std::string line_of(const btf::Btf* btf, std::uint32_t type, Bytes value) {
  if (!btf || type == 0 || !btf->has(type) || btf->size_of(type) != value.size()) return hex(value);
  const Result<std::string> text = btf::print(*btf, type, value);
  return text ? *text : hex(value);
}

Bytes of_cpu(const MapShape& shape, Bytes all, unsigned cpu) {
  return all.subspan(cpu * round_up(shape.value_size, 8), shape.value_size);
}

// Global data is an array of one element whose value is a data section.
bool is_section(const MapContents& map, const btf::Btf* btf) {
  return btf && map.shape.value_type != 0 && btf->has(map.shape.value_type) &&
         btf->type(map.shape.value_type).kind() == btf::Kind::Datasec && map.entries.size() == 1;
}

Json variables(const MapContents& map, const btf::Btf& btf) {
  Json object = Json::object();
  const btf::Type section = btf.type(map.shape.value_type);
  const Bytes all = map.entries[0].value;
  for (std::uint32_t i = 0; i < section.vlen(); ++i) {
    const btf::Variable place = section.variable(i);
    const btf::Type variable = btf.type(place.type);
    if (variable.kind() != btf::Kind::Var || place.offset > all.size() || place.size > all.size() - place.offset)
      continue;
    object[std::string(variable.name())] = decode(&btf, variable.type(), all.subspan(place.offset, place.size));
  }
  return object;
}

// The lines of a per-CPU element: one for each CPU that has something.
std::string per_cpu_text(const MapShape& shape, const btf::Btf* btf, const MapEntry& entry, const std::string& key) {
  std::string text;
  for (unsigned cpu = 0; cpu < shape.cpus; ++cpu) {
    const Bytes value = of_cpu(shape, entry.value, cpu);
    if (!all_zero(value)) text += fmt::format("  {} (CPU {}): {}\n", key, cpu, line_of(btf, shape.value_type, value));
  }
  return text;
}

std::string entry_text(const MapContents& map, const btf::Btf* btf, const MapEntry& entry) {
  const std::string key = line_of(btf, map.shape.key_type, entry.key);
  switch (map.elements) {
    case Elements::PerCpu: return per_cpu_text(map.shape, btf, entry, key);
    case Elements::References: return fmt::format("  {}: taken\n", key);
    default:
      return all_zero(entry.value) ? ""
                                   : fmt::format("  {}: {}\n", key, line_of(btf, map.shape.value_type, entry.value));
  }
}

}  // namespace

Json decode(const btf::Btf* btf, std::uint32_t type, Bytes value) {
  if (btf && type != 0 && btf->has(type) && btf->size_of(type) == value.size()) {
    if (const Result<std::string> text = btf::print(*btf, type, value)) {
      if (Json parsed = Json::parse(*text, nullptr, false); !parsed.is_discarded()) return parsed;
    }
  }
  return hex(value);
}

Json dump_json(const MapContents& map, const btf::Btf* btf) {
  if (is_section(map, btf)) return variables(map, *btf);
  Json list = Json::array();
  for (const std::vector<std::byte>& record : map.records) list.push_back(decode(btf, map.shape.value_type, record));
  for (const MapEntry& entry : map.entries) {
    Json element = {{"key", decode(btf, map.shape.key_type, entry.key)}};
    if (map.elements == Elements::PerCpu) {
      for (unsigned cpu = 0; cpu < map.shape.cpus; ++cpu) {
        element["values"].push_back(
            {{"cpu", cpu}, {"value", decode(btf, map.shape.value_type, of_cpu(map.shape, entry.value, cpu))}});
      }
    } else if (map.elements == Elements::Values) {
      element["value"] = decode(btf, map.shape.value_type, entry.value);
    }
    list.push_back(std::move(element));
  }
  return list;
}

std::string dump_text(const MapContents& map, const btf::Btf* btf) {
  std::string text;
  if (is_section(map, btf)) {
    const Json object = variables(map, *btf);
    for (const auto& [name, value] : object.items()) text += fmt::format("  {} = {}\n", name, value.dump());
    return text;
  }
  std::size_t shown = 0, zero = 0, more = 0;
  for (const std::vector<std::byte>& record : map.records) {
    if (shown++ < kShownElements)
      text += fmt::format("  record of {} bytes: {}\n", record.size(), line_of(btf, map.shape.value_type, record));
  }
  for (const MapEntry& entry : map.entries) {
    const std::string lines = entry_text(map, btf, entry);
    if (lines.empty())
      ++zero;
    else if (shown++ < kShownElements)
      text += lines;
  }
  if (shown > kShownElements) more = shown - kShownElements;
  if (zero != 0) text += fmt::format("  {} of zeros\n", zero);
  if (more != 0) text += fmt::format("  {} more (--json has all)\n", more);
  return text.empty() ? "  empty\n" : text;
}

}  // namespace skep::cli
