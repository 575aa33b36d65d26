// Each type alone: does what it says of itself make sense?
#include <array>
#include <bit>

#include "base/errno.h"
#include "btf/check.h"

namespace skep::btf {
namespace {

struct Tail {
  std::size_t bytes, per_element;
};

constexpr std::array kTails{
#define BTF_KIND(id, Name, text, bytes, per_element) Tail{bytes, per_element},
#include "btf/kinds.def"
#undef BTF_KIND
};

constexpr bool is_type_id(std::uint32_t id) noexcept { return id <= kMaxTypeId; }
constexpr std::uint32_t bytes_for(std::uint32_t bits) noexcept { return bits / 8 + (bits % 8 != 0); }

}  // namespace

Result<std::size_t> Checker::meta(std::uint32_t id, const RawType& raw, Bytes rest) {
  if ((raw.info & ~kInfoMask) != 0) return refuse(EINVAL, fmt::format("[{}] Invalid btf_info:{:x}", id, raw.info));
  const std::uint32_t kind = raw.info >> 24 & 0x1f;
  if (kind == 0 || kind > kMaxKind) return refuse(EINVAL, fmt::format("[{}] Invalid kind:{}", id, kind));
  if (!btf_.string(raw.name_off)) return refuse(EINVAL, fmt::format("[{}] Invalid name_offset:{}", id, raw.name_off));

  const Type type(btf_, id, raw, rest.data() + sizeof(RawType));
  const Tail tail = kTails[kind];
  const std::size_t needed = tail.bytes + tail.per_element * type.vlen();
  const std::size_t left = rest.size() - sizeof(RawType);
  if (left < needed) {
    return refuse(EINVAL, fmt::format("[{}] {} {} meta_left:{} meta_needed:{}\n", id, name(type.kind()),
                                      shown(type, raw.name_off), left, needed));
  }
  TRY_VOID(alone(type));
  btf_.offsets_.push_back(static_cast<std::uint32_t>(rest.data() - btf_.bytes_.data()));
  return sizeof(RawType) + needed;
}

bool Checker::named(const Type& type, bool (*valid)(std::string_view) noexcept) const {
  return type.raw().name_off != 0 && valid(type.name());
}

Result<> Checker::alone(const Type& type) {
  switch (type.kind()) {
    case Kind::Int: return int_alone(type);
    case Kind::Ptr:
    case Kind::Typedef:
    case Kind::Volatile:
    case Kind::Const:
    case Kind::Restrict:
    case Kind::TypeTag: return reference_alone(type);
    case Kind::Array: return array_alone(type);
    case Kind::Struct:
    case Kind::Union: return composite_alone(type);
    case Kind::Enum:
    case Kind::Enum64: return enum_alone(type);
    case Kind::Func: return func_alone(type);
    case Kind::Var: return var_alone(type);
    case Kind::Datasec: return datasec_alone(type);
    case Kind::DeclTag: return tag_alone(type);
    case Kind::Fwd:
      if (type.vlen() != 0) return refuse(type, "vlen != 0");
      if (type.type() != 0) return refuse(type, "type != 0");
      if (!named(type, is_identifier)) return refuse(type, "Invalid name");
      break;
    case Kind::FuncProto:
      if (type.raw().name_off != 0) return refuse(type, "Invalid name");
      if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
      break;
    case Kind::Float:
      if (type.vlen() != 0) return refuse(type, "vlen != 0");
      if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
      if (type.size() != 12 && (!std::has_single_bit(type.size()) || type.size() < 2 || type.size() > 16))
        return refuse(type, "Invalid type_size");
      break;
    case Kind::Void: break;
  }
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::int_alone(const Type& type) {
  if (type.vlen() != 0) return refuse(type, "vlen != 0");
  if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
  const std::uint32_t data = type.int_data();
  if ((data & ~kIntMask) != 0) {
    return refuse(
        EINVAL, fmt::format("[{}] INT {} Invalid int_data:{:x}\n", type.id(), shown(type, type.raw().name_off), data));
  }
  const std::uint32_t bits = int_bits(data) + int_offset(data);
  if (bits > 128) return refuse(type, "nr_bits exceeds 128");
  if (bytes_for(bits) > type.size()) return refuse(type, "nr_bits exceeds type_size");
  // One bit at most: signed characters and the like are not encoded.
  const std::uint32_t encoding = int_encoding(data);
  if (encoding != 0 && encoding != kSigned && encoding != kChar && encoding != kBool)
    return refuse(type, "Unsupported encoding", kNotSupported);
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::reference_alone(const Type& type) {
  if (type.vlen() != 0) return refuse(type, "vlen != 0");
  if (type.flag() && !(type.kind() == Kind::TypeTag && rules_.attribute_tags))
    return refuse(type, "Invalid btf_info kind_flag");
  if (!is_type_id(type.type())) return refuse(type, "Invalid type_id");
  switch (type.kind()) {
    case Kind::Typedef:
      if (!named(type, is_identifier)) return refuse(type, "Invalid name");
      break;
    case Kind::TypeTag:
      if (type.name().empty()) return refuse(type, "Invalid name");
      break;
    default:
      if (type.raw().name_off != 0) return refuse(type, "Invalid name");
  }
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::array_alone(const Type& type) {
  if (type.raw().name_off != 0) return refuse(type, "Invalid name");
  if (type.vlen() != 0) return refuse(type, "vlen != 0");
  if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
  if (type.raw().size_or_type != 0) return refuse(type, "size != 0");
  const RawArray array = type.array();
  if (array.type == 0 || !is_type_id(array.type)) return refuse(type, "Invalid elem");
  if (array.index_type == 0 || !is_type_id(array.index_type)) return refuse(type, "Invalid index");
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::composite_alone(const Type& type) {
  if (type.raw().name_off != 0 && !is_identifier(type.name())) return refuse(type, "Invalid name");
  if (log_.wanted()) log_.line(describe(type));
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const auto raw = type.at<RawMember>(i);
    if (!btf_.string(raw.name_off))
      return refuse_member(type, i, fmt::format("Invalid member name_offset:{}", raw.name_off));
    const Member member = type.member(i);
    if (raw.name_off != 0 && !is_identifier(member.name)) return refuse_member(type, i, "Invalid name");
    if (member.type == 0 || !is_type_id(member.type)) return refuse_member(type, i, "Invalid type_id");
    if (type.kind() == Kind::Union && member.bit_offset != 0)
      return refuse_member(type, i, "Invalid member bits_offset");
    if (last > member.bit_offset) return refuse_member(type, i, "Invalid member bits_offset");
    if (bytes_for(member.bit_offset) > type.size())
      return refuse_member(type, i, "Member bits_offset exceeds its struct size");
    if (log_.wanted()) log_.line(describe_member(type, i));
    last = member.bit_offset;
  }
  return {};
}

Result<> Checker::enum_alone(const Type& type) {
  if (type.size() > 8 || !std::has_single_bit(type.size())) return refuse(type, "Unexpected size");
  if (type.raw().name_off != 0 && !is_identifier(type.name())) return refuse(type, "Invalid name");
  if (log_.wanted()) log_.line(describe(type));
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const std::uint32_t name_off =
        type.kind() == Kind::Enum ? type.at<RawEnumerator>(i).name_off : type.at<RawEnumerator64>(i).name_off;
    if (!btf_.string(name_off)) return refuse(EINVAL, fmt::format("\tInvalid name_offset:{}", name_off));
    const Enumerator value = type.enumerator(i);
    if (name_off == 0 || !is_identifier(value.name)) return refuse(type, "Invalid name");
    if (!log_.wanted()) continue;
    const bool negative = type.flag() && static_cast<std::int64_t>(value.value) < 0;
    log_.line(negative ? fmt::format("\t{} val={}", value.name, static_cast<std::int64_t>(value.value))
                       : fmt::format("\t{} val={}", value.name, value.value));
  }
  return {};
}

Result<> Checker::func_alone(const Type& type) {
  if (!named(type, is_identifier)) return refuse(type, "Invalid name");
  if (type.linkage() != Linkage::Static && type.linkage() != Linkage::Global)
    return refuse(type, "Invalid func linkage");
  if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::var_alone(const Type& type) {
  if (type.vlen() != 0) return refuse(type, "vlen != 0");
  if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
  if (!named(type, is_identifier)) return refuse(type, "Invalid name");
  if (type.type() == 0 || !is_type_id(type.type())) return refuse(type, "Invalid type_id");
  if (type.linkage() != Linkage::Static && type.linkage() != Linkage::Global)
    return refuse(type, "Linkage not supported");
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

Result<> Checker::datasec_alone(const Type& type) {
  if (type.size() == 0) return refuse(type, "size == 0");
  if (type.flag()) return refuse(type, "Invalid btf_info kind_flag");
  if (!named(type, is_section_name)) return refuse(type, "Invalid name");
  if (log_.wanted()) log_.line(describe(type));
  std::uint64_t end = 0, sum = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Variable var = type.variable(i);
    if (var.type == 0 || !is_type_id(var.type)) return refuse_variable(type, i, "Invalid type_id");
    if (var.offset < end || var.offset >= type.size()) return refuse_variable(type, i, "Invalid offset");
    if (var.size == 0 || var.size > type.size()) return refuse_variable(type, i, "Invalid size");
    end = std::uint64_t{var.offset} + var.size;
    if (end > type.size()) return refuse_variable(type, i, "Invalid offset+size");
    if (log_.wanted()) log_.line(describe_variable(var));
    sum += var.size;
  }
  if (type.size() < sum) return refuse(type, "Invalid btf_info size");
  return {};
}

Result<> Checker::tag_alone(const Type& type) {
  if (type.name().empty()) return refuse(type, "Invalid value");
  if (type.vlen() != 0) return refuse(type, "vlen != 0");
  if (type.flag() && !rules_.attribute_tags) return refuse(type, "Invalid btf_info kind_flag");
  if (type.component() < -1) return refuse(type, "Invalid component_idx");
  if (log_.wanted()) log_.line(describe(type));
  return {};
}

}  // namespace skep::btf
