#include "cli/map_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/json_value.h"

namespace skep::cli {
namespace {

using nlohmann::json;

std::unexpected<Error> wrong(const std::string& path, const std::string& what) {
  return fail(EINVAL, fmt::format("{}: {}", path, what));
}

Result<json> read_json(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  try {  // the one place that throws: the message has line and column
    return json::parse(text, nullptr, true, true);
  } catch (const json::exception& error) {
    const std::string_view what = error.what();
    return wrong(path, fmt::format("not JSON: {}", what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
}

// Reads the entries of one file.
class Entries {
 public:
  Entries(const std::string& path, const MapShape& shape, const btf::Btf* btf)
      : path_(path), shape_(shape), btf_(btf) {}

  Result<std::vector<MapEntry>> read() const {
    TRY(const json file, read_json(path_));
    if (!file.is_array()) {
      return wrong(path_, fmt::format("expected an array of {{\"key\": .., \"value\": ..}} for map {}, found {}",
                                      shape_.name, file.type_name()));
    }
    std::vector<MapEntry> entries;
    for (std::size_t i = 0; i < file.size(); ++i) {
      Result<MapEntry> entry =
          read_entry(file[i].is_object() && file[i].contains("formatted") ? file[i]["formatted"] : file[i]);
      if (!entry) return wrong(path_, fmt::format("entry {}: {}", i + 1, entry.error().message));
      entries.push_back(*std::move(entry));
    }
    return entries;
  }

 private:
  Result<MapEntry> read_entry(const json& from) const {
    if (!from.is_object())
      return fail(EINVAL, fmt::format("expected {{\"key\": .., \"value\": ..}}, found {}", from.type_name()));
    for (const auto& [name, part] : from.items()) {
      if (name != "key" && name != "value" && name != "values")
        return fail(EINVAL, fmt::format("\"{}\" is not known; there are key, value, values", name));
    }
    const bool single = from.contains("value"), several = from.contains("values");
    if (!from.contains("key") || single == several)
      return fail(EINVAL, "expected \"key\" and one of \"value\" and \"values\"");
    if (several && shape_.cpus == 0)
      return fail(EINVAL, fmt::format("\"values\" is for per-CPU maps, which {} is not", shape_.name));
    MapEntry entry{.key = std::vector<std::byte>(shape_.key_size),
                   .value = std::vector<std::byte>(shape_.update_bytes())};
    TRY_VOID(put("key", shape_.key_type, from["key"], entry.key));
    if (several) {
      TRY_VOID(put_each_cpu(from["values"], entry.value));
    } else {
      TRY_VOID(put_value(from["value"], entry.value));
    }
    return entry;
  }

  Result<> put(std::string_view what, std::uint32_t type, const json& from, MutableBytes out) const {
    const bool typed = btf_ && type != 0 && btf_->has(type) && btf_->size_of(type) == out.size();
    return typed ? encode(*btf_, type, from, what, out) : encode_untyped(from, what, out);
  }

  MutableBytes of_cpu(MutableBytes all, unsigned cpu) const {
    return shape_.cpus == 0 ? all : all.subspan(cpu * round_up(shape_.value_size, 8), shape_.value_size);
  }

  // One value, for every CPU where there are several.
  Result<> put_value(const json& from, MutableBytes all) const {
    TRY_VOID(put("value", shape_.value_type, from, of_cpu(all, 0)));
    for (unsigned cpu = 1; cpu < shape_.cpus; ++cpu) std::ranges::copy(of_cpu(all, 0), of_cpu(all, cpu).begin());
    return {};
  }

  Result<> put_each_cpu(const json& from, MutableBytes all) const {
    if (!from.is_array()) return fail(EINVAL, "values: expected an array of {\"cpu\": .., \"value\": ..}");
    for (const json& one : from) {
      if (!one.is_object() || !one.contains("cpu") || !one.contains("value") || !one["cpu"].is_number_unsigned())
        return fail(EINVAL, "values: expected an array of {\"cpu\": .., \"value\": ..}");
      const auto cpu = one["cpu"].get<std::uint64_t>();
      if (cpu >= shape_.cpus) return fail(EINVAL, fmt::format("values: CPU {} of {}", cpu, shape_.cpus));
      TRY_VOID(put("value", shape_.value_type, one["value"], of_cpu(all, static_cast<unsigned>(cpu))));
    }
    return {};
  }

  const std::string& path_;
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

Result<std::vector<MapEntry>> read_entries(const std::string& path, const MapShape& shape, const btf::Btf* btf) {
  return Entries(path, shape, btf).read();
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
