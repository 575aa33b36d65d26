#include "cli/map_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/json_value.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using nlohmann::json;

std::unexpected<Error> wrong(const std::string& path, const std::string& what) {
  return fail(EINVAL, fmt::format("{}: {}", path, what));
}

Result<json> parse(const std::string& path, std::string_view text) {
  Result<json> value = parse_json(text);
  return value ? std::move(value) : wrong(path, value.error().message);
}

Result<json> read_json(const std::string& path) {
  TRY(const std::string text, read_text_file(path));
  return parse(path, text);
}

// Encodes the keys and values of one map.
class Element {
 public:
  Element(const MapShape& shape, const btf::Btf* btf) : shape_(shape), btf_(btf) {}

  Result<std::vector<std::byte>> key(const json& from) const {
    std::vector<std::byte> bytes(shape_.key_size);
    const bool prefix = static_cast<spec::MapType>(shape_.type) == spec::MapType::LpmTrie;
    TRY_VOID(put("key", shape_.key_type, from, prefix ? Place::Prefix : Place::Any, bytes));
    return bytes;
  }

  // One value, for every CPU where there are several.
  Result<std::vector<std::byte>> value(const json& from) const {
    std::vector<std::byte> all(shape_.update_bytes());
    TRY_VOID(put("value", shape_.value_type, from, Place::Any, of_cpu(all, 0)));
    for (unsigned cpu = 1; cpu < shape_.cpus; ++cpu) std::ranges::copy(of_cpu(all, 0), of_cpu(all, cpu).begin());
    return all;
  }

  Result<std::vector<std::byte>> values(const json& from) const {
    constexpr const char* kForm = "values: expected an array of {\"cpu\": .., \"value\": ..}";
    std::vector<std::byte> all(shape_.update_bytes());
    if (!from.is_array()) return fail(EINVAL, kForm);
    for (const json& one : from) {
      if (!one.is_object() || !one.contains("cpu") || !one.contains("value") || !one["cpu"].is_number_unsigned())
        return fail(EINVAL, kForm);
      const auto cpu = one["cpu"].get<std::uint64_t>();
      if (cpu >= shape_.cpus) return fail(EINVAL, fmt::format("values: CPU {} of {}", cpu, shape_.cpus));
      TRY_VOID(put("value", shape_.value_type, one["value"], Place::Any, of_cpu(all, static_cast<unsigned>(cpu))));
    }
    return all;
  }

 private:
  Result<> put(std::string_view what, std::uint32_t type, const json& from, Place place, MutableBytes out) const {
    const bool typed = btf_ && type != 0 && btf_->has(type) && btf_->size_of(type) == out.size();
    return typed ? encode(*btf_, type, from, what, out) : encode_untyped(from, what, place, out);
  }

  MutableBytes of_cpu(MutableBytes all, unsigned cpu) const {
    return shape_.cpus == 0 ? all : all.subspan(cpu * round_up(shape_.value_size, 8), shape_.value_size);
  }

  const MapShape& shape_;
  const btf::Btf* btf_;
};

struct Global {
  std::string_view name;
  btf::Variable place;
  std::uint32_t type;
};

// The variables of a data section.
std::vector<Global> globals_of(const btf::Btf& btf, std::uint32_t section) {
  std::vector<Global> globals;
  const btf::Type data = btf.type(section);
  for (std::uint32_t i = 0; i < data.vlen(); ++i) {
    const btf::Variable variable = data.variable(i);
    const btf::Type var = btf.type(variable.type);
    if (var.kind() == btf::Kind::Var) globals.push_back({var.name(), variable, var.type()});
  }
  return globals;
}

Result<> put_variable(const btf::Btf& btf, const std::vector<Global>& globals, const std::string& name,
                      const json& from, MutableBytes contents) {
  for (const Global& global : globals) {
    if (global.name != name) continue;
    const std::optional<std::uint32_t> size = btf.size_of(global.type);
    if (!size || global.place.offset > contents.size() || *size > contents.size() - global.place.offset) {
      return fail(EINVAL, fmt::format("{}: lies outside of its section", name));
    }
    return encode(btf, global.type, from, name, contents.subspan(global.place.offset, *size));
  }
  std::vector<std::string_view> names;
  for (const Global& global : globals) names.push_back(global.name);
  return fail(EINVAL, fmt::format("no variable \"{}\"; there are: {}", name, fmt::join(names, ", ")));
}

}  // namespace

Result<std::vector<std::byte>> encode_key(const MapShape& shape, const btf::Btf* btf, const json& from) {
  return Element(shape, btf).key(from);
}

Result<std::vector<std::byte>> encode_value(const MapShape& shape, const btf::Btf* btf, const json& from) {
  return Element(shape, btf).value(from);
}

Result<MapEntry> encode_entry(const MapShape& shape, const btf::Btf* btf, const json& from) {
  if (!from.is_object())
    return fail(EINVAL, fmt::format("expected {{\"key\": .., \"value\": ..}}, found {}", from.type_name()));
  for (const auto& [name, part] : from.items()) {
    if (name != "key" && name != "value" && name != "values")
      return fail(EINVAL, fmt::format("\"{}\" is not known; there are key, value, values", name));
  }
  const bool single = from.contains("value"), several = from.contains("values");
  if (!from.contains("key") || single == several)
    return fail(EINVAL, "expected \"key\" and one of \"value\" and \"values\"");
  if (several && shape.cpus == 0)
    return fail(EINVAL, fmt::format("\"values\" is for per-CPU maps, which {} is not", shape.name));
  const Element element(shape, btf);
  MapEntry entry;
  TRY(entry.key, element.key(from["key"]));
  TRY(entry.value, several ? element.values(from["values"]) : element.value(from["value"]));
  return entry;
}

Result<std::string> read_text_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return fail(EISDIR, fmt::format("{}: is a folder", path));
  std::ifstream file(path == "-" ? "/dev/stdin" : path, std::ios::binary);
  if (!file) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::vector<MapEntry>> parse_entries(const std::string& path, std::string_view text, const MapShape& shape,
                                            const btf::Btf* btf) {
  TRY(const json file, parse(path, text));
  if (!file.is_array()) {
    return wrong(path, fmt::format("expected an array of {{\"key\": .., \"value\": ..}} for map {}, found {}",
                                   shape.name, file.type_name()));
  }
  std::vector<MapEntry> entries;
  for (std::size_t i = 0; i < file.size(); ++i) {
    const bool formatted = file[i].is_object() && file[i].contains("formatted");
    Result<MapEntry> entry = encode_entry(shape, btf, formatted ? file[i]["formatted"] : file[i]);
    if (!entry) return wrong(path, fmt::format("entry {}: {}", i + 1, entry.error().message));
    entries.push_back(*std::move(entry));
  }
  return entries;
}

Result<std::vector<MapEntry>> read_entries(const std::string& path, const MapShape& shape, const btf::Btf* btf) {
  TRY(const std::string text, read_text_file(path));
  return parse_entries(path, text, shape, btf);
}

Result<> read_variables(const std::string& path, const std::string& section, const btf::Btf* btf,
                        MutableBytes contents) {
  const std::optional<std::uint32_t> id = btf ? btf->find(section, btf::Kind::Datasec) : std::nullopt;
  if (!id) return wrong(path, fmt::format("the object has no BTF of {}; compile with clang -g", section));
  TRY(const json file, read_json(path));
  if (!file.is_object())
    return wrong(path, fmt::format("expected an object {{\"variable\": value, ..}} for {}, found {}", section,
                                   file.type_name()));
  const std::vector<Global> globals = globals_of(*btf, *id);
  for (const auto& [name, value] : file.items()) {
    if (Result<> done = put_variable(*btf, globals, name, value, contents); !done)
      return wrong(path, done.error().message);
  }
  return {};
}

}  // namespace skep::cli
