#include "cli/btf_text.h"

#include <fmt/format.h>

namespace skep::cli {
namespace {

using btf::Kind;
using Json = nlohmann::ordered_json;

std::string name_of(std::string_view name) { return name.empty() ? "(anon)" : std::string(name); }

std::string encoding_of(const btf::Type& type) {
  switch (btf::int_encoding(type.int_data())) {
    case btf::kUnsigned: return "(none)";
    case btf::kSigned: return "SIGNED";
    case btf::kChar: return "CHAR";
    case btf::kBool: return "BOOL";
    default: return "UNKN";
  }
}

std::string linkage_of(const btf::Type& type) {
  switch (type.linkage()) {
    case btf::Linkage::Static: return "static";
    case btf::Linkage::Global: return "global";
    case btf::Linkage::Extern: return "extern";
  }
  return "(unknown)";
}

template <class One>
Json list_of(const btf::Type& type, One one) {
  Json list = Json::array();
  for (std::uint32_t i = 0; i < type.vlen(); ++i) list.push_back(one(i));
  return list;
}

Json member_of(const btf::Type& type, std::uint32_t i) {
  const btf::Member member = type.member(i);
  Json one = {{"name", name_of(member.name)}, {"type_id", member.type}, {"bits_offset", member.bit_offset}};
  if (member.bits != 0) one["bitfield_size"] = member.bits;
  return one;
}

Json value_of(const btf::Type& type, std::uint32_t i) {
  const btf::Enumerator value = type.enumerator(i);
  Json one = {{"name", name_of(value.name)}};
  if (type.is_signed())
    one["val"] = static_cast<std::int64_t>(value.value);
  else
    one["val"] = value.value;
  return one;
}

Json variable_of(const btf::Type& type, std::uint32_t i) {
  const btf::Variable variable = type.variable(i);
  return {{"type_id", variable.type}, {"offset", variable.offset}, {"size", variable.size}};
}

Json parameter_of(const btf::Type& type, std::uint32_t i) {
  const btf::Param param = type.param(i);
  return {{"name", name_of(param.name)}, {"type_id", param.type}};
}

// What stands behind the name.
Json facts_of(const btf::Type& type) {
  switch (type.kind()) {
    case Kind::Int:
      return {{"size", type.size()},
              {"bits_offset", btf::int_offset(type.int_data())},
              {"nr_bits", btf::int_bits(type.int_data())},
              {"encoding", encoding_of(type)}};
    case Kind::Array: {
      const btf::RawArray array = type.array();
      return {{"type_id", array.type}, {"index_type_id", array.index_type}, {"nr_elems", array.nelems}};
    }
    case Kind::Struct:
    case Kind::Union:
      return {{"size", type.size()},
              {"vlen", type.vlen()},
              {"members", list_of(type, [&](std::uint32_t i) { return member_of(type, i); })}};
    case Kind::Enum:
    case Kind::Enum64:
      return {{"encoding", type.is_signed() ? "SIGNED" : "UNSIGNED"},
              {"size", type.size()},
              {"vlen", type.vlen()},
              {"values", list_of(type, [&](std::uint32_t i) { return value_of(type, i); })}};
    case Kind::Fwd: return {{"fwd_kind", type.flag() ? "union" : "struct"}};
    case Kind::FuncProto:
      return {{"ret_type_id", type.type()},
              {"vlen", type.vlen()},
              {"params", list_of(type, [&](std::uint32_t i) { return parameter_of(type, i); })}};
    case Kind::Datasec:
      return {{"size", type.size()},
              {"vlen", type.vlen()},
              {"vars", list_of(type, [&](std::uint32_t i) { return variable_of(type, i); })}};
    case Kind::Float: return {{"size", type.size()}};
    case Kind::Func:
    case Kind::Var: return {{"type_id", type.type()}, {"linkage", linkage_of(type)}};
    case Kind::DeclTag: return {{"type_id", type.type()}, {"component_idx", type.component()}};
    case Kind::Void:
    case Kind::Ptr:
    case Kind::Typedef:
    case Kind::Volatile:
    case Kind::Const:
    case Kind::Restrict:
    case Kind::TypeTag: return {{"type_id", type.type()}};
  }
  return Json::object();
}

std::string word(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// "size=4 vlen=2", without the lists.
std::string words_of(const Json& facts, std::string_view between) {
  std::string text;
  for (const auto& [key, value] : facts.items())
    if (!value.is_array() && key != "name")
      text += fmt::format("{}{}={}", text.empty() ? "" : between, key, word(value));
  return text;
}

// A line of a list.
std::string line_of(const btf::Btf& types, const btf::Type& type, const Json& one) {
  std::string text = one.contains("name") ? fmt::format("'{}' ", word(one["name"])) : "";
  text += words_of(one, " ");
  if (type.kind() == Kind::Enum64) text += type.is_signed() ? "LL" : "ULL";
  if (type.kind() == Kind::Datasec) {
    const auto id = one["type_id"].get<std::uint32_t>();
    if (types.has(id)) text += fmt::format(" ({} '{}')", btf::name(types.type(id).kind()), types.type(id).name());
  }
  return text;
}

}  // namespace

nlohmann::ordered_json type_json(const btf::Btf& types, std::uint32_t id) {
  const btf::Type type = types.type(id);
  Json out = {{"id", id}, {"kind", btf::name(type.kind())}, {"name", name_of(type.name())}};
  out.update(facts_of(type));
  return out;
}

std::string type_text(const btf::Btf& types, std::uint32_t id) {
  const btf::Type type = types.type(id);
  const Json facts = facts_of(type);
  std::string text = fmt::format("[{}] {} '{}' {}", id, btf::name(type.kind()), name_of(type.name()),
                                 words_of(facts, type.kind() == Kind::Var ? ", " : " "));
  for (const auto& [key, list] : facts.items()) {
    if (!list.is_array()) continue;
    for (const Json& one : list) text += "\n\t" + line_of(types, type, one);
  }
  return text;
}

}  // namespace skep::cli
