#include "cli/type_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "loader/compile.h"
#include "loader/object.h"

namespace skep::cli {
namespace {

namespace fs = std::filesystem;

// A folder for one source, gone afterwards.
class Workshop {
 public:
  Workshop() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "skep-types-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Workshop() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// __typeof__ lets a name stand for any type, arrays and structures without a name among them.
constexpr std::string_view kSource = R"(#include <linux/bpf.h>
#include <linux/types.h>
typedef __u8 u8; typedef __u16 u16; typedef __u32 u32; typedef __u64 u64;
typedef __s8 s8; typedef __s16 s16; typedef __s32 s32; typedef __s64 s64;
typedef __be16 be16; typedef __be32 be32; typedef __be64 be64; typedef _Bool bool;
typedef u8 uint8_t; typedef u16 uint16_t; typedef u32 uint32_t; typedef u64 uint64_t;
typedef s8 int8_t; typedef s16 int16_t; typedef s32 int32_t; typedef s64 int64_t;
)";

std::string source_of(const std::string& key, const std::string& value, const std::string& header) {
  std::string text(kSource);
  std::error_code error;
  if (!header.empty()) {
    text += fs::exists(header, error) ? fmt::format("#include \"{}\"\n", fs::absolute(header, error).string())
                                      : fmt::format("#include <{}>\n", header);
  }
  return text + fmt::format(
                    "typedef __typeof__({}) skep_key;\ntypedef __typeof__({}) skep_value;\n"
                    "struct {{ skep_key *key; skep_value *value; }} skep_types;\n",
                    key, value);
}

bool is_raw_btf(Bytes bytes) { return bytes.size() >= 2 && load<std::uint16_t>(bytes.data()) == btf::kMagic; }

Expected<std::unique_ptr<btf::Btf>> parse(Bytes bytes, const std::string& name) {
  Result<btf::Btf> types = btf::Btf::parse(bytes);
  if (!types) return give_up(Exit::Input, fmt::format("{}: its BTF is damaged: {}", name, types.error().message));
  return std::make_unique<btf::Btf>(*std::move(types));
}

Expected<std::unique_ptr<btf::Btf>> types_of_object(Bytes bytes, const std::string& name) {
  const Result<loader::Object> object = loader::Object::open(bytes, name, {});
  if (!object) return give_up(Exit::Input, object.error().message);
  if (object->btf().empty()) return give_up(Exit::Input, fmt::format("{}: has no BTF; compile it with clang -g", name));
  return parse(object->btf(), name);
}

}  // namespace

Expected<std::unique_ptr<btf::Btf>> read_types(const std::string& file) {
  const Result<std::vector<std::byte>> bytes = loader::read_object_file(file);
  if (!bytes) return give_up(Exit::Input, bytes.error().message);
  return is_raw_btf(*bytes) ? parse(*bytes, file) : types_of_object(*bytes, file);
}

std::optional<std::uint32_t> find_type(const btf::Btf& types, std::string_view name) {
  using enum btf::Kind;
  struct Word {
    std::string_view word;
    btf::Kind kind;
  };
  for (const auto& [word, kind] : {Word{"struct ", Struct}, Word{"union ", Union}, Word{"enum ", Enum}})
    if (name.starts_with(word)) return types.find(name.substr(word.size()), kind);
  for (const btf::Kind kind : {Struct, Union, Typedef, Int, Enum, Enum64})
    if (const auto id = types.find(name, kind)) return id;
  return std::nullopt;
}

Expected<CompiledTypes> compile_types(const std::string& key, const std::string& value, const std::string& header) {
  const Workshop workshop;
  const std::string source = workshop.path() / "types.bpf.c";
  if (workshop.path().empty() || !(std::ofstream(source) << source_of(key, value, header)))
    return give_up(Exit::Input, fmt::format("{}: cannot be written: {}", source, std::strerror(errno)));
  const Result<std::vector<std::byte>> object = loader::compile(source, {});
  if (!object) {
    return give_up(Exit::Input,
                   fmt::format("the types \"{}\" and \"{}\" do not compile: {}", key, value, object.error().message));
  }
  auto types = types_of_object(*object, "the compiled types");
  if (!types) return std::unexpected(types.error());
  const auto named = [&](std::string_view name) {
    const auto id = (*types)->find(name, btf::Kind::Typedef);
    return id ? (*types)->type(*id).type() : 0;
  };
  CompiledTypes compiled{.types = nullptr, .key = named("skep_key"), .value = named("skep_value")};
  compiled.types = *std::move(types);
  return compiled;
}

}  // namespace skep::cli
