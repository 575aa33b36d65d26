#include "cli/map_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "btf/print.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
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

// a + b where both are numbers, and so inside them; false where something else differs.
bool add(Json& a, const Json& b) {
  if (a.is_number_integer() && b.is_number_integer()) {
    const bool negative = a.is_number_integer() && !a.is_number_unsigned();
    if (negative || !b.is_number_unsigned()) return a = a.get<std::int64_t>() + b.get<std::int64_t>(), true;
    return a = a.get<std::uint64_t>() + b.get<std::uint64_t>(), true;
  }
  if (a.is_number() && b.is_number()) return a = a.get<double>() + b.get<double>(), true;
  if (!a.is_structured() || a.type() != b.type() || a.size() != b.size()) return a == b;
  auto of_a = a.begin();
  for (auto of_b = b.begin(); of_b != b.end(); ++of_b, ++of_a)
    if (!add(*of_a, *of_b)) return false;
  return true;
}

// Without a type, numbers of 4 and 8 bytes are what is counted by CPU.
Json countable(const btf::Btf* btf, std::uint32_t type, Bytes value) {
  Json shown = decode(btf, type, value);
  if (!shown.is_string() || shown != hex(value)) return shown;
  if (value.size() == 8) return load<std::uint64_t>(value.data());
  return value.size() == 4 ? Json(load<std::uint32_t>(value.data())) : shown;
}

// The lines of a per-CPU element: its sum, or one for each CPU that has something.
std::string per_cpu_text(const MapShape& shape, const btf::Btf* btf, const MapEntry& entry, const std::string& key,
                         PerCpuForm form) {
  if (form == PerCpuForm::Sum) {
    if (all_zero(entry.value)) return "";
    if (const auto sum = summed(shape, btf, entry.value)) return fmt::format("  {}: {}\n", key, sum->dump());
  }
  std::string text;
  for (unsigned cpu = 0; cpu < shape.cpus; ++cpu) {
    const Bytes value = of_cpu(shape, entry.value, cpu);
    if (!all_zero(value))
      text += fmt::format("  {} (CPU {}): {}\n", key, cpu, value_line(btf, shape.value_type, value));
  }
  return text;
}

// Elements of arrays are there whether somebody wrote them or not.
bool is_array(const MapShape& shape) {
  const auto type = static_cast<spec::MapType>(shape.type);
  return type == spec::MapType::Array || type == spec::MapType::PercpuArray;
}

std::string_view referred(const MapShape& shape) {
  switch (static_cast<spec::MapType>(shape.type)) {
    case spec::MapType::ProgArray: return "program";
    case spec::MapType::ArrayOfMaps:
    case spec::MapType::HashOfMaps: return "map";
    default: return "object";
  }
}

// An id of 4 bytes, or a socket's cookie of 8.
std::uint64_t reference_id(const MapEntry& entry) {
  if (entry.value.size() == 8) return load<std::uint64_t>(entry.value.data());
  return entry.value.size() == 4 ? load<std::uint32_t>(entry.value.data()) : 0;
}

// Empty: zeros that are left out.
std::string entry_text(const MapContents& map, const btf::Btf* btf, const MapEntry& entry, PerCpuForm form) {
  const std::string key = value_line(btf, map.shape.key_type, entry.key);
  if (map.elements == Elements::References)
    return fmt::format("  {}: {} {}\n", key, referred(map.shape), reference_id(entry));
  if (map.elements == Elements::PerCpu) {
    std::string text = per_cpu_text(map.shape, btf, entry, key, form);
    return text.empty() && !is_array(map.shape) ? fmt::format("  {}: zeros on every CPU\n", key) : text;
  }
  if (is_array(map.shape) && all_zero(entry.value)) return "";
  return fmt::format("  {}: {}\n", key, value_line(btf, map.shape.value_type, entry.value));
}

Json each_cpu(const MapShape& shape, const btf::Btf* btf, Bytes values) {
  Json list = Json::array();
  for (unsigned cpu = 0; cpu < shape.cpus; ++cpu)
    list.push_back({{"cpu", cpu}, {"value", decode(btf, shape.value_type, of_cpu(shape, values, cpu))}});
  return list;
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

std::string value_line(const btf::Btf* btf, std::uint32_t type, Bytes value) {
  if (!btf || type == 0 || !btf->has(type) || btf->size_of(type) != value.size()) return hex(value);
  const Result<std::string> text = btf::print(*btf, type, value);
  return text ? *text : hex(value);
}

std::optional<Json> summed(const MapShape& shape, const btf::Btf* btf, Bytes values) {
  Json sum = countable(btf, shape.value_type, of_cpu(shape, values, 0));
  for (unsigned cpu = 1; cpu < shape.cpus; ++cpu)
    if (!add(sum, countable(btf, shape.value_type, of_cpu(shape, values, cpu)))) return std::nullopt;
  return sum;
}

Json entry_json(const MapContents& map, const btf::Btf* btf, const MapEntry& entry, PerCpuForm per_cpu) {
  Json element = {{"key", decode(btf, map.shape.key_type, entry.key)}};
  switch (map.elements) {
    case Elements::PerCpu:
      if (auto sum = per_cpu == PerCpuForm::Sum ? summed(map.shape, btf, entry.value) : std::nullopt)
        element["value"] = *std::move(sum);
      else
        element["values"] = each_cpu(map.shape, btf, entry.value);
      break;
    case Elements::References: element[std::string(referred(map.shape))] = reference_id(entry); break;
    default: element["value"] = decode(btf, map.shape.value_type, entry.value); break;
  }
  return element;
}

Json dump_json(const MapContents& map, const btf::Btf* btf, const DumpOptions& options) {
  if (is_section(map, btf)) return variables(map, *btf);
  Json list = Json::array();
  for (const std::vector<std::byte>& record : map.records) list.push_back(decode(btf, map.shape.value_type, record));
  for (const MapEntry& entry : map.entries) list.push_back(entry_json(map, btf, entry, options.per_cpu));
  return list;
}

std::string dump_text(const MapContents& map, const btf::Btf* btf, const DumpOptions& options) {
  std::string text;
  if (is_section(map, btf)) {
    const Json object = variables(map, *btf);
    for (const auto& [name, value] : object.items()) text += fmt::format("  {} = {}\n", name, value.dump());
    return text;
  }
  std::size_t shown = 0, zero = 0;
  for (const std::vector<std::byte>& record : map.records) {
    if (shown++ < options.most)
      text += fmt::format("  record of {} bytes: {}\n", record.size(), value_line(btf, map.shape.value_type, record));
  }
  for (const MapEntry& entry : map.entries) {
    const std::string lines = entry_text(map, btf, entry, options.per_cpu);
    if (lines.empty())
      ++zero;
    else if (shown++ < options.most)
      text += lines;
  }
  if (zero != 0) text += fmt::format("  {} of zeros\n", zero);
  if (shown > options.most) text += fmt::format("  {} more (--json has all)\n", shown - options.most);
  return text.empty() ? "  empty\n" : text;
}

}  // namespace skep::cli
