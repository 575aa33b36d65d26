#include "btf/btf.h"

#include <algorithm>
#include <array>

namespace skep::btf {
namespace {

constexpr std::array kKindNames{
#define BTF_KIND(id, Name, text, ...) std::string_view(text),
#include "btf/kinds.def"
#undef BTF_KIND
};

constexpr RawType kVoid{};

// Anonymous structures and members looked at for a name: hostile types may nest the same ones without end.
constexpr std::size_t kMaxAnonymous = 1024;
constexpr std::size_t kMaxMembers = 1U << 20;

}  // namespace

std::string_view name(Kind kind) noexcept { return kKindNames[static_cast<std::size_t>(kind)]; }

std::string_view Type::name() const noexcept { return btf_->string(raw_.name_off).value_or(""); }

std::optional<std::string_view> Type::string(std::uint32_t offset) const noexcept { return btf_->string(offset); }

Linkage Type::linkage() const noexcept { return static_cast<Linkage>(kind() == Kind::Func ? vlen() : word(0)); }

bool Type::is_signed() const noexcept {
  return kind() == Kind::Int ? (int_encoding(int_data()) & kSigned) != 0 : flag();
}

Member Type::member(std::uint32_t i) const noexcept {
  const RawMember raw = at<RawMember>(i);
  const std::uint32_t bits = flag() ? raw.offset >> 24 : 0;
  const std::uint32_t offset = flag() ? raw.offset & 0xffffff : raw.offset;
  return {btf_->string(raw.name_off).value_or(""), raw.type, offset, bits};
}

Enumerator Type::enumerator(std::uint32_t i) const noexcept {
  if (kind() == Kind::Enum64) {
    const auto raw = at<RawEnumerator64>(i);
    return {btf_->string(raw.name_off).value_or(""), std::uint64_t{raw.high} << 32 | raw.low};
  }
  const auto raw = at<RawEnumerator>(i);
  const auto wide =
      flag() ? static_cast<std::uint64_t>(std::int64_t{raw.value}) : static_cast<std::uint32_t>(raw.value);
  return {btf_->string(raw.name_off).value_or(""), wide};
}

Param Type::param(std::uint32_t i) const noexcept {
  const auto raw = at<RawParam>(i);
  return {btf_->string(raw.name_off).value_or(""), raw.type};
}

Type Btf::type(std::uint32_t id) const noexcept {
  if (id == 0) return Type(*this, 0, kVoid, nullptr);
  const std::byte* at = bytes_.data() + offsets_[id];
  return Type(*this, id, load<RawType>(at), at + sizeof(RawType));
}

std::optional<std::string_view> Btf::string(std::uint32_t offset) const noexcept {
  if (offset >= string_bytes_ || offset > kMaxNameOffset) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes_.data()) + strings_ +
                          offset);  // the section ends in a NUL
}

std::optional<std::uint32_t> Btf::find(std::string_view name, Kind kind) const {
  std::optional<std::uint32_t> first;
  const auto [from, to] = by_name_.equal_range(name);
  for (auto it = from; it != to; ++it) {
    if (type(it->second).kind() == kind) first = std::min(first.value_or(it->second), it->second);
  }
  return first;
}

std::size_t Btf::count(std::string_view name, Kind kind) const {
  const auto [from, to] = by_name_.equal_range(name);
  return static_cast<std::size_t>(
      std::count_if(from, to, [&](const auto& entry) { return type(entry.second).kind() == kind; }));
}

std::uint32_t Btf::resolve(std::uint32_t id) const noexcept {
  return has(id) && is_modifier(type(id).kind()) ? resolved_[id] : id;
}

std::optional<std::uint32_t> Btf::size_of(std::uint32_t id) const noexcept {
  if (!has(id)) return std::nullopt;
  const Kind outer = type(id).kind();
  if (is_modifier(outer) || outer == Kind::Var) id = resolved_[id];
  const Type found = type(id);
  switch (found.kind()) {
    case Kind::Int:
    case Kind::Struct:
    case Kind::Union:
    case Kind::Enum:
    case Kind::Enum64:
    case Kind::Datasec:
    case Kind::Float: return found.size();
    case Kind::Ptr: return 8;
    case Kind::Array: return sizes_[id];
    default: return std::nullopt;
  }
}

std::optional<Member> Btf::find_member(std::uint32_t id, std::string_view name) const {
  struct Inside {
    std::uint32_t type, bit_offset;
  };
  std::vector<Inside> todo{{resolve(id), 0}};
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < todo.size() && looked_at < kMaxMembers; ++i) {
    const Type composite = type(todo[i].type);
    if (!is_composite(composite.kind())) continue;
    looked_at += composite.vlen();
    for (std::uint32_t m = 0; m < composite.vlen(); ++m) {
      Member member = composite.member(m);
      member.bit_offset += todo[i].bit_offset;
      if (member.name == name && !name.empty()) return member;
      if (member.name.empty() && todo.size() < kMaxAnonymous) todo.push_back({resolve(member.type), member.bit_offset});
    }
  }
  return std::nullopt;
}

}  // namespace skep::btf
