// What the log of BPF_BTF_LOAD says of a type. The texts are the kernel's, so that tools which read them still can.
#include <algorithm>

#include "base/latin1.h"
#include "btf/check.h"

namespace skep::btf {
namespace {

std::string_view encoding_name(std::uint32_t encoding) {
  switch (encoding) {
    case kUnsigned: return "(none)";
    case kSigned: return "SIGNED";
    case kChar: return "CHAR";
    case kBool: return "BOOL";
    default: return "UNKN";
  }
}

std::string arguments(const Type& proto) {
  const std::uint32_t n = proto.vlen();
  if (n == 0) return "void";
  std::string text;
  for (std::uint32_t i = 0; i < n; ++i) {
    const Param param = proto.param(i);
    if (i != 0) text += ", ";
    text += i + 1 == n && param.type == 0
                ? "vararg"
                : fmt::format("{} {}", param.type, shown(proto, proto.at<RawParam>(i).name_off));
  }
  return text;
}

std::string details(const Type& type) {
  switch (type.kind()) {
    case Kind::Int: {
      const std::uint32_t data = type.int_data();
      return fmt::format("size={} bits_offset={} nr_bits={} encoding={}", type.size(), int_offset(data), int_bits(data),
                         encoding_name(int_encoding(data)));
    }
    case Kind::Array: {
      const RawArray array = type.array();
      return fmt::format("type_id={} index_type_id={} nr_elems={}", array.type, array.index_type, array.nelems);
    }
    case Kind::Struct:
    case Kind::Union:
    case Kind::Enum:
    case Kind::Enum64:
    case Kind::Datasec: return fmt::format("size={} vlen={}", type.size(), type.vlen());
    case Kind::Fwd: return type.flag() ? "union" : "struct";
    case Kind::FuncProto: return fmt::format("return={} args=({})", type.type(), arguments(type));
    case Kind::Var:
      return fmt::format("type_id={} linkage={}", type.type(), static_cast<std::uint32_t>(type.linkage()));
    case Kind::Float: return fmt::format("size={}", type.size());
    case Kind::DeclTag: return fmt::format("type={} component_idx={}", type.type(), type.component());
    case Kind::Void:
    case Kind::Ptr:
    case Kind::Typedef:
    case Kind::Volatile:
    case Kind::Const:
    case Kind::Restrict:
    case Kind::Func:
    case Kind::TypeTag: return fmt::format("type_id={}", type.type());
  }
  return {};
}

}  // namespace

std::string_view shown(const Type& type, std::uint32_t name_off) {
  return name_off == 0 ? "(anon)" : type.string(name_off).value_or("(invalid-name-offset)");
}

void Log::line(std::string_view text) {
  if (text_ == nullptr) return;
  *text_ += text;
  *text_ += '\n';
}

void Log::write(std::string_view text) {
  if (text_ != nullptr) *text_ += text;
}

std::string describe(const Type& type) {
  return fmt::format("[{}] {} {} {}", type.id(), name(type.kind()), shown(type, type.raw().name_off), details(type));
}

std::string describe_member(const Type& composite, std::uint32_t i, std::uint32_t type) {
  Member member = composite.member(i);
  if (type != 0) member.type = type;
  if (composite.flag()) {
    return fmt::format("\t{} type_id={} bitfield_size={} bits_offset={}",
                       shown(composite, composite.at<RawMember>(i).name_off), member.type, member.bits,
                       member.bit_offset);
  }
  return fmt::format("\t{} type_id={} bits_offset={}", shown(composite, composite.at<RawMember>(i).name_off),
                     member.type, member.bit_offset);
}

std::string describe_variable(const Variable& variable) {
  return fmt::format("\t type_id={} offset={} size={}", variable.type, variable.offset, variable.size);
}

bool is_identifier(std::string_view name) noexcept {
  const auto first = [](char c) { return is_letter(c) || c == '_' || c == '.'; };
  const auto rest = [&](char c) { return first(c) || is_digit(c); };
  return !name.empty() && name.size() <= kMaxNameBytes && first(name[0]) && std::ranges::all_of(name, rest);
}

bool is_section_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaxNameBytes && std::ranges::all_of(name, is_printable);
}

}  // namespace skep::btf
