#include "verifier/step/btf_match.h"

namespace skep::verifier {
namespace {

constexpr std::string_view kFlavor = "___";
constexpr unsigned kMaxDepth = 4;
constexpr std::uint32_t kByteBits = 8;

// What lies at `offset` when `type` is an array: its element, and where in it.
void enter_array(const btf::Btf& btf, std::uint32_t& id, std::int64_t& offset) {
  while (btf.type(id).kind() == btf::Kind::Array) {
    id = btf.resolve(btf.type(id).array().type);
    const std::int64_t size = btf.size_of(id).value_or(0);
    if (size != 0) offset %= size;
  }
}

// The member, no bit field, that byte `offset` belongs to, and where in it; nullopt: none.
std::optional<std::uint32_t> member_at(const btf::Btf& btf, std::uint32_t id, std::int64_t& offset) {
  const btf::Type type = btf.type(id);
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const btf::Member member = type.member(i);
    const std::int64_t start = member.bit_offset / kByteBits;
    const std::int64_t size = btf.size_of(member.type).value_or(0);
    if (member.bits != 0 || offset < start || offset >= start + size) continue;
    offset -= start;
    return btf.resolve(member.type);
  }
  return std::nullopt;
}

}  // namespace

bool same_type(const TypeIn& a, const TypeIn& b) noexcept {
  if (a.btf == nullptr || b.btf == nullptr) return false;
  if (a.btf == b.btf) return a.id == b.id;
  const btf::Type one = a.btf->type(a.id), other = b.btf->type(b.id);
  return one.kind() == other.kind() && one.raw().size_or_type == other.raw().size_or_type && !one.name().empty() &&
         one.name() == other.name();
}

std::optional<std::uint32_t> structure_at(const btf::Btf& btf, std::uint32_t id, std::int64_t offset) {
  if (offset < 0) return std::nullopt;
  while (btf::is_composite(btf.type(id).kind())) {
    const auto member = member_at(btf, id, offset);
    if (!member) return std::nullopt;
    id = *member;
    enter_array(btf, id, offset);
    if (offset == 0 && btf::is_composite(btf.type(id).kind())) return id;
  }
  return std::nullopt;
}

bool is_or_contains(const TypeIn& has, std::int64_t offset, const TypeIn& needed, Match match) {
  if (offset == 0 && same_type(has, needed)) return true;
  if (match == Match::Strict || has.btf == nullptr) return false;
  std::uint32_t id = has.id;
  while (const auto inner = structure_at(*has.btf, id, offset)) {
    if (same_type({has.btf, *inner}, needed)) return true;
    id = *inner;
    offset = 0;
  }
  return false;
}

std::string_view without_flavor(std::string_view name) noexcept {
  const std::size_t at = name.rfind(kFlavor);
  return at == std::string_view::npos || at == 0 ? name : name.substr(0, at);
}

bool is_flavor_of(std::string_view name, std::string_view full) noexcept {
  return name.starts_with(full) && (name.size() == full.size() || name.substr(full.size()).starts_with(kFlavor));
}

bool is_plain_data(const btf::Btf& btf, std::uint32_t id, unsigned depth) {
  id = btf.resolve(id);
  const btf::Type type = btf.type(id);
  using btf::Kind;
  if (type.kind() == Kind::Int || type.kind() == Kind::Enum || type.kind() == Kind::Enum64) return true;
  if (!btf::is_composite(type.kind()) || depth >= kMaxDepth) return false;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    std::uint32_t member = btf.resolve(type.member(i).type);
    if (btf.type(member).kind() == Kind::Array) member = btf.resolve(btf.type(member).array().type);
    if (!is_plain_data(btf, member, depth + 1)) return false;
  }
  return true;
}

}  // namespace skep::verifier
