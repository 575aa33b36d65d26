// Keys and values of maps as text: words of the command line, map files and tables. Any text is read or refused with an
// error, by every type of the BTF it stands behind; what is read is bytes of the type's size, and as text again reads
// back to the same bytes.
// links: skep_cli
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "btf/btf.h"
#include "cli/json_value.h"
#include "cli/map_csv.h"
#include "cli/map_dump.h"
#include "cli/map_file.h"
#include "cli/map_filter.h"
#include "spec/types.h"

namespace {

using namespace skep;
using namespace skep::cli;

// A few types in raw BTF, built by hand: no compiler is at hand here.
class Types {
 public:
  static const btf::Btf& all() {
    static const Types types;
    return *types.btf_;
  }
  static constexpr std::uint32_t kChar = 1, kU32 = 2, kName = 3, kWords = 4, kUnion = 5, kEnum = 6, kStruct = 7,
                                 kU8 = 8, kPrefix = 10, kLast = 10;

 private:
  Types() {
    type("char", kind(btf::Kind::Int), 1), word(1U << 24 | 8);              // 1: char, signed
    type("u32", kind(btf::Kind::Int), 4), word(32);                         // 2
    type("", kind(btf::Kind::Array), 0), word(kChar), word(kU32), word(8);  // 3: char[8]
    type("", kind(btf::Kind::Array), 0), word(kU32), word(kU32), word(2);   // 4: u32[2]
    type("", kind(btf::Kind::Union) | 2, 8);                                // 5: union { char[8] name; u32[2] word }
    member("name", kName, 0), member("word", kWords, 0);
    type("", kind(btf::Kind::Enum) | 2, 4);  // 6
    enumerator("RED", 0), enumerator("GREEN", 5);
    type("", kind(btf::Kind::Struct) | 4 | 1U << 31, 24);  // 7
    member("count", kU32, 0), member("color", kEnum, 32), member("low", kU32, 3U << 24 | 64), member("u", kUnion, 128);
    type("u8", kind(btf::Kind::Int), 1), word(8);                         // 8
    type("", kind(btf::Kind::Array), 0), word(kU8), word(kU32), word(4);  // 9: u8[4]
    type("", kind(btf::Kind::Struct) | 2, 8);                             // 10
    member("prefixlen", kU32, 0), member("addr", 9, 32);
    std::vector<std::byte> bytes(24);
    const std::uint32_t header[] = {0x0001'eb9f,
                                    24,
                                    0,
                                    static_cast<std::uint32_t>(types_.size() * 4),
                                    static_cast<std::uint32_t>(types_.size() * 4),
                                    static_cast<std::uint32_t>(strings_.size())};
    std::memcpy(bytes.data(), header, sizeof header);
    const Bytes body = std::as_bytes(std::span(types_)), names = std::as_bytes(std::span(strings_));
    bytes.insert(bytes.end(), body.begin(), body.end());
    bytes.insert(bytes.end(), names.begin(), names.end());
    auto parsed = btf::Btf::parse(bytes);
    if (!parsed || parsed->count() != kLast) std::abort();
    btf_ = *std::move(parsed);
  }
  static constexpr std::uint32_t kind(btf::Kind kind) { return static_cast<std::uint32_t>(kind) << 24; }
  void word(std::uint32_t value) { types_.push_back(value); }
  std::uint32_t string(std::string_view text) {
    if (text.empty()) return 0;
    const auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += std::string(text) + '\0';
    return at;
  }
  void type(std::string_view name, std::uint32_t info, std::uint32_t size) {
    word(string(name)), word(info), word(size);
  }
  void member(std::string_view name, std::uint32_t id, std::uint32_t offset) {
    word(string(name)), word(id), word(offset);
  }
  void enumerator(std::string_view name, std::uint32_t value) { word(string(name)), word(value); }

  std::vector<std::uint32_t> types_;
  std::string strings_ = std::string(1, '\0');
  std::optional<btf::Btf> btf_;
};

void check(bool holds) {
  if (!holds) std::abort();
}

MapShape shape_with(std::uint32_t key, std::uint32_t value, unsigned cpus) {
  const btf::Btf& types = Types::all();
  return {.name = "map",
          .key_size = *types.size_of(key),
          .value_size = *types.size_of(value),
          .key_type = key,
          .value_type = value,
          .cpus = cpus,
          .type = static_cast<std::uint32_t>(key == Types::kPrefix ? spec::MapType::LpmTrie : spec::MapType::Hash),
          .max_entries = 8};
}

// Entries as JSON and as a table, and back.
void there_and_back(const MapShape& shape, const std::vector<MapEntry>& entries, const btf::Btf* types) {
  const Elements elements = shape.cpus == 0 ? Elements::Values : Elements::PerCpu;
  const MapContents contents{.shape = shape, .elements = elements, .entries = entries, .records = {}};
  const auto same = [&](const Result<std::vector<MapEntry>>& read) {
    check(read.has_value() && read->size() == entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      check((*read)[i].key == entries[i].key);
      check((*read)[i].value == entries[i].value);
    }
  };
  same(parse_entries("json", dump_json(contents, types).dump(), shape, types));
  const std::string table = csv_text(contents, types);
  if (shape.cpus == 0) same(parse_csv_entries("table", table, shape, types));  // lines of one key are one entry by CPU
  (void)dump_text(contents, types, {.per_cpu = PerCpuForm::Sum});
}

void read_as(const MapShape& shape, const btf::Btf* types, std::string_view text) {
  const nlohmann::json word = parse_word(text);
  if (const auto key = encode_key(shape, types, word)) check(key->size() == shape.key_size);
  if (const auto value = encode_value(shape, types, word)) check(value->size() == shape.update_bytes());
  if (const auto entries = parse_entries("file", text, shape, types)) there_and_back(shape, *entries, types);
  if (const auto entries = parse_csv_entries("table", text, shape, types)) there_and_back(shape, *entries, types);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const btf::Btf& types = Types::all();
  for (std::uint32_t type = 1; type <= Types::kLast; ++type) {
    read_as(shape_with(Types::kU32, type, 0), &types, text);
    read_as(shape_with(type, Types::kStruct, 2), &types, text);
    read_as(shape_with(type, type, 0), nullptr, text);
  }
  if (const auto condition = Condition::parse(std::string(text)))
    (void)condition->holds({{"key", 1}, {"value", {{"count", 5}, {"list", {1, 2, 3, 4}}, {"name", "x"}}}});
  return 0;
}
