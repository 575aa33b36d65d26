#include "btf/core.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

namespace skep::btf {
namespace {

constexpr std::size_t kMostSteps = 64;
constexpr unsigned kMostDepth = 32;

std::unexpected<Error> refuse(const char* why) { return fail(EINVAL, std::string("a CO-RE relocation ") + why); }

std::string_view essential(std::string_view name) {
  const std::size_t at = name.find("___");
  return at == std::string_view::npos || at == 0 ? name : name.substr(0, at);
}

Result<std::vector<std::uint32_t>> parse_path(std::string_view text) {
  std::vector<std::uint32_t> path;
  while (path.size() < kMostSteps) {
    std::uint32_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc()) break;
    path.push_back(index);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return path;
    if (text.front() != ':') break;
    text.remove_prefix(1);
  }
  return refuse("has a path that is none");
}

bool is_enumeration(Kind kind) { return kind == Kind::Enum || kind == Kind::Enum64; }

// The kernel's type of the same name and kind; nothing when it has none.
std::optional<std::uint32_t> counterpart(const Type& local, const Btf& kernel) {
  const std::string_view name = essential(local.name());
  if (auto found = kernel.find(name, local.kind())) return found;
  if (!is_enumeration(local.kind())) return std::nullopt;
  return kernel.find(name, local.kind() == Kind::Enum ? Kind::Enum64 : Kind::Enum);
}

// ---- Fields

struct Step {
  std::uint32_t index;    // of an element
  std::string_view name;  // of a member; empty for an element
  std::uint32_t type;     // the program's, of what is there
};
struct Field {
  std::uint32_t type = 0;
  std::uint64_t bit_offset = 0;
  std::uint32_t bits = 0;  // of a bit field; 0: an ordinary one
};

bool enter_element(const Btf& btf, Field& field, std::uint32_t index) {
  const Type array = btf.type(btf.resolve(field.type));
  if (array.kind() != Kind::Array) return false;
  const RawArray of = array.array();
  if (of.nelems != 0 && index >= of.nelems) return false;
  field = {of.type, field.bit_offset + std::uint64_t{index} * btf.size_of(of.type).value_or(0) * 8, 0};
  return true;
}

// Along the indices in the program's types; members without names are steps of their own kind and none for the kernel.
Result<Field> follow(const Btf& btf, std::uint32_t root, const std::vector<std::uint32_t>& path,
                     std::vector<Step>& steps) {
  Field field{.type = root, .bit_offset = std::uint64_t{path[0]} * btf.size_of(root).value_or(0) * 8, .bits = 0};
  for (std::size_t i = 1; i < path.size(); ++i) {
    const Type at = btf.type(btf.resolve(field.type));
    if (!is_composite(at.kind())) {
      if (!enter_element(btf, field, path[i])) return refuse("goes where there is nothing");
      steps.push_back({path[i], {}, field.type});
      continue;
    }
    if (path[i] >= at.vlen()) return refuse("names a member that is none");
    const Member member = at.member(path[i]);
    field = {member.type, field.bit_offset + member.bit_offset, member.bits};
    if (!member.name.empty()) steps.push_back({0, member.name, field.type});
  }
  return field;
}

// Whether a field of the kernel's may be meant by one of the program's.
bool compatible(const Btf& local, std::uint32_t ours, const Btf& kernel, std::uint32_t theirs) {
  for (unsigned depth = 0; depth < kMostDepth; ++depth) {
    const Type a = local.type(local.resolve(ours)), b = kernel.type(kernel.resolve(theirs));
    if (is_composite(a.kind()) && is_composite(b.kind())) return true;
    if (is_enumeration(a.kind()) && is_enumeration(b.kind()))
      return a.name().empty() || b.name().empty() || essential(a.name()) == essential(b.name());
    if (a.kind() != b.kind()) return false;
    if (a.kind() != Kind::Array) return a.kind() == Kind::Int || a.kind() == Kind::Float || a.kind() == Kind::Ptr;
    ours = a.array().type;
    theirs = b.array().type;
  }
  return false;
}

std::optional<Field> find(const Btf& local, const Btf& kernel, std::uint32_t root, std::uint32_t first,
                          const std::vector<Step>& steps) {
  Field field{.type = root, .bit_offset = std::uint64_t{first} * kernel.size_of(root).value_or(0) * 8, .bits = 0};
  for (const Step& step : steps) {
    if (step.name.empty()) {
      if (!enter_element(kernel, field, step.index)) return std::nullopt;
      continue;
    }
    if (!is_composite(kernel.type(kernel.resolve(field.type)).kind())) return std::nullopt;
    const auto member = kernel.find_member(kernel.resolve(field.type), step.name);
    if (!member || !compatible(local, step.type, kernel, member->type)) return std::nullopt;
    field = {member->type, field.bit_offset + member->bit_offset, member->bits};
  }
  return field;
}

// The aligned bytes that hold a field.
struct Storage {
  std::uint64_t offset;
  std::uint32_t bytes;
};
Storage storage_of(const Btf& btf, const Field& field) {
  Storage at{.offset = field.bit_offset / 8, .bytes = btf.size_of(field.type).value_or(0)};
  if (field.bits == 0 || at.bytes == 0) return at;
  at.offset = field.bit_offset / 8 / at.bytes * at.bytes;
  while (field.bit_offset + field.bits - at.offset * 8 > at.bytes * 8 && at.bytes < 8) {
    at.bytes *= 2;
    at.offset = field.bit_offset / 8 / at.bytes * at.bytes;
  }
  return at;
}

std::uint64_t value_of(const Btf& btf, const Field& field, CoreKind kind) {
  const Storage at = storage_of(btf, field);
  const std::uint64_t bits = field.bits != 0 ? field.bits : std::uint64_t{at.bytes} * 8;
  switch (kind) {
    case CoreKind::FieldOffset: return at.offset;
    case CoreKind::FieldSize: return at.bytes;
    case CoreKind::FieldExists: return 1;
    case CoreKind::FieldSigned: return btf.type(btf.resolve(field.type)).is_signed() ? 1 : 0;
    case CoreKind::FieldLeftShift: return 64 - (field.bit_offset + bits - at.offset * 8);
    case CoreKind::FieldRightShift: return 64 - bits;
    default: return 0;
  }
}

bool is_resizable(const Btf& local, const Field& ours, const Btf& kernel, const Field& theirs) {
  const Type a = local.type(local.resolve(ours.type)), b = kernel.type(kernel.resolve(theirs.type));
  if (a.kind() == Kind::Ptr && b.kind() == Kind::Ptr) return true;
  return a.kind() == Kind::Int && b.kind() == Kind::Int && !a.is_signed() && !b.is_signed();
}

Result<CoreValue> relocate_field(const Btf& local, const Btf& kernel, const CoreRelocation& relocation,
                                 std::string_view text) {
  TRY(const std::vector<std::uint32_t> path, parse_path(text));
  std::vector<Step> steps;
  TRY(const Field ours, follow(local, relocation.type_id, path, steps));
  const auto root = counterpart(local.type(relocation.type_id), kernel);
  const std::optional<Field> theirs = root ? find(local, kernel, *root, path[0], steps) : std::nullopt;
  if (!theirs) return CoreValue{.is_there = relocation.kind == CoreKind::FieldExists};
  CoreValue value{.value = value_of(kernel, *theirs, relocation.kind)};
  if (relocation.kind != CoreKind::FieldOffset) return value;
  value.local_bytes = storage_of(local, ours).bytes;
  value.bytes = storage_of(kernel, *theirs).bytes;
  value.is_resizable = is_resizable(local, ours, kernel, *theirs);
  return value;
}

// ---- Types and enumerators

CoreValue relocate_type(const Btf& local, const Btf& kernel, const CoreRelocation& relocation) {
  if (relocation.kind == CoreKind::LocalTypeId) return {.value = relocation.type_id};
  const auto found = counterpart(local.type(relocation.type_id), kernel);
  if (!found) return {};
  if (relocation.kind == CoreKind::TypeId) return {.value = *found};
  return {.value = relocation.kind == CoreKind::TypeExists ? 1 : kernel.size_of(*found).value_or(0)};
}

Result<CoreValue> relocate_enumerator(const Btf& local, const Btf& kernel, const CoreRelocation& relocation,
                                      std::string_view text) {
  TRY(const std::vector<std::uint32_t> path, parse_path(text));
  const Type ours = local.type(local.resolve(relocation.type_id));
  if (!is_enumeration(ours.kind()) || path.size() != 1 || path[0] >= ours.vlen())
    return refuse("names an enumerator that is none");
  const std::string_view name = essential(ours.enumerator(path[0]).name);
  const auto found = counterpart(local.type(relocation.type_id), kernel);
  const bool exists = relocation.kind == CoreKind::EnumeratorExists;
  if (found) {
    const Type theirs = kernel.type(kernel.resolve(*found));
    for (std::uint32_t i = 0; is_enumeration(theirs.kind()) && i < theirs.vlen(); ++i)
      if (theirs.enumerator(i).name == name) return CoreValue{.value = exists ? 1 : theirs.enumerator(i).value};
  }
  return CoreValue{.is_there = exists};
}

}  // namespace

Result<CoreValue> relocate(const Btf& local, const Btf& kernel, const CoreRelocation& relocation) {
  const auto text = local.string(relocation.access_str_off);
  if (relocation.type_id == 0 || !local.has(relocation.type_id))
    return fail(EINVAL, fmt::format("bad type id {}", relocation.type_id));
  if (!text) return refuse("has no text that says what it is of");
  if (essential(local.type(relocation.type_id).name()).empty()) return refuse("is of a type without a name");
  switch (relocation.kind) {
    case CoreKind::FieldOffset:
    case CoreKind::FieldSize:
    case CoreKind::FieldExists:
    case CoreKind::FieldSigned:
    case CoreKind::FieldLeftShift:
    case CoreKind::FieldRightShift: return relocate_field(local, kernel, relocation, *text);
    case CoreKind::LocalTypeId:
    case CoreKind::TypeId:
    case CoreKind::TypeExists:
    case CoreKind::TypeSize: return relocate_type(local, kernel, relocation);
    case CoreKind::EnumeratorExists:
    case CoreKind::EnumeratorValue: return relocate_enumerator(local, kernel, relocation, *text);
    case CoreKind::TypeMatches:
      return fail(EOPNOTSUPP, "not supported yet: CO-RE relocations that compare whole types");
  }
  return refuse("is of no known kind");
}

}  // namespace skep::btf
