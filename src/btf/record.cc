#include "btf/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace skep::btf {
namespace {

constexpr unsigned kMaxDepth = 32;
constexpr std::size_t kMaxSteps = 1U << 20;  // members looked at: hostile structures may repeat without end

enum class HowMany : std::uint8_t { Once, Many };
struct Named {
  Special kind;
  std::string_view name;
  std::uint32_t bytes, alignment;
  HowMany how_many;
};
constexpr std::array kNamed{
#define SPECIAL_FIELD(Kind, name, bytes, alignment, how_many) \
  Named{Special::Kind, name, bytes, alignment, HowMany::how_many},
#include "btf/special_fields.def"
#undef SPECIAL_FIELD
};
constexpr std::uint32_t kPointerBytes = 8;

class Finder {
 public:
  explicit Finder(const Btf& btf) : btf_(btf) {}
  Result<> composite(const Type& type, std::uint32_t offset, unsigned depth);
  Result<> section(const Type& type);
  std::vector<SpecialField> take() {
    std::ranges::sort(found_, {}, [](const SpecialField& f) { return std::pair(f.offset, f.kind); });
    return std::move(found_);
  }

 private:
  using Seen = std::uint32_t;  // one bit per row of kNamed
  Result<> place(std::uint32_t id, std::uint32_t offset, unsigned depth, Seen& seen);
  Result<> named(const Named& row, const Type& type, std::uint32_t offset, std::uint64_t times, Seen& seen);
  std::optional<SpecialField> kptr(const Type& type) const;
  Result<> add(SpecialField field, std::uint64_t times);

  const Btf& btf_;
  std::vector<SpecialField> found_;
  std::size_t steps_ = 0;
};

// Arrays may hold pointers, lists and trees, but no locks or timers.
bool may_repeat(Special kind) {
  switch (kind) {
    case Special::Kptr:
    case Special::KptrUntrusted:
    case Special::KptrPercpu:
    case Special::ListHead:
    case Special::RbRoot: return true;
    case Special::SpinLock:
    case Special::Timer:
    case Special::Wq:
    case Special::Refcount: return false;
  }
  return false;
}

Result<> Finder::add(SpecialField field, std::uint64_t times) {
  if (found_.size() + times > kMaxSpecialFields)
    return fail(E2BIG, fmt::format("the value has more than {} special fields", kMaxSpecialFields));
  if (times > 1 && !may_repeat(field.kind)) return fail(EINVAL, "an array of locks, timers or the like");
  for (std::uint64_t i = 0; i < times; ++i, field.offset += field.bytes) found_.push_back(field);
  return {};
}

// A tag stands between the pointer and what it points to.
std::optional<SpecialField> Finder::kptr(const Type& type) const {
  if (type.kind() != Kind::Ptr || btf_.type(type.type()).kind() != Kind::TypeTag) return std::nullopt;
  const Type tag = btf_.type(type.type());
  const std::uint32_t target = btf_.resolve(tag.type());
  if (tag.name() == "kptr") return SpecialField{Special::Kptr, 0, kPointerBytes, target};
  if (tag.name() == "kptr_untrusted") return SpecialField{Special::KptrUntrusted, 0, kPointerBytes, target};
  if (tag.name() == "percpu_kptr") return SpecialField{Special::KptrPercpu, 0, kPointerBytes, target};
  return std::nullopt;
}

Result<> Finder::named(const Named& row, const Type& type, std::uint32_t offset, std::uint64_t times, Seen& seen) {
  const Seen bit = 1U << static_cast<unsigned>(row.kind);
  if (row.how_many == HowMany::Once && (seen & bit) != 0)
    return fail(E2BIG, fmt::format("the value has more than one {}", row.name));
  seen |= bit;
  if (type.kind() != Kind::Struct && type.kind() != Kind::Union) return {};
  if (type.size() != row.bytes || offset % row.alignment != 0) return {};
  return add({row.kind, offset, row.bytes, 0}, times);
}

// What lies at `offset`, whose type is `id`: through arrays, but not through modifiers, as in the kernel.
Result<> Finder::place(std::uint32_t id, std::uint32_t offset, unsigned depth, Seen& seen) {
  if (++steps_ > kMaxSteps) return fail(E2BIG, fmt::format("the value has more than {} members", kMaxSteps));
  std::uint64_t times = 1;
  unsigned arrays = 0;
  for (; btf_.type(id).kind() == Kind::Array; ++arrays) {
    if (arrays == kMaxDepth) return fail(E2BIG, "the value's arrays are nested too deeply");
    times = std::min<std::uint64_t>(times * btf_.type(id).array().nelems, 1ULL << 32);
    id = btf_.type(id).array().type;
  }
  if (times == 0) return {};
  const Type type = btf_.type(id);
  const auto row = std::ranges::find(kNamed, type.name(), &Named::name);
  if (row != kNamed.end()) return named(*row, type, offset, times, seen);
  if (is_composite(type.kind())) {
    const std::size_t before = found_.size();
    TRY_VOID(composite(type, offset, depth + 1));
    const std::vector<SpecialField> once(found_.begin() + static_cast<std::ptrdiff_t>(before), found_.end());
    if (!once.empty() && before + once.size() * times > kMaxSpecialFields)
      return fail(E2BIG, fmt::format("the value has more than {} special fields", kMaxSpecialFields));
    if (times > 1 && !std::ranges::all_of(once, may_repeat, &SpecialField::kind))
      return fail(EINVAL, "an array of structures with locks, timers or the like");
    for (std::uint64_t i = 1; i < times && !once.empty(); ++i) {
      for (SpecialField field : once) {
        field.offset += static_cast<std::uint32_t>(i * type.size());
        found_.push_back(field);
      }
    }
    return {};
  }
  auto pointer = kptr(type);
  if (!pointer || offset % kPointerBytes != 0) return {};
  pointer->offset = offset;
  return add(*pointer, times);
}

Result<> Finder::composite(const Type& type, std::uint32_t offset, unsigned depth) {
  if (depth >= kMaxDepth) return fail(E2BIG, "the value's structures are nested too deeply");
  Seen seen = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Member member = type.member(i);
    TRY_VOID(place(member.type, offset + member.bit_offset / 8, depth, seen));
  }
  return {};
}

Result<> Finder::section(const Type& type) {
  Seen seen = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Variable variable = type.variable(i);
    TRY_VOID(place(btf_.type(variable.type).type(), variable.offset, 0, seen));
  }
  return {};
}

}  // namespace

Result<std::vector<SpecialField>> special_fields(const Btf& btf, std::uint32_t id) {
  if (!btf.has(id)) return fail(EINVAL, fmt::format("there is no type {}", id));
  Finder finder(btf);
  const Type type = btf.type(id);
  if (is_composite(type.kind())) TRY_VOID(finder.composite(type, 0, 0));
  if (type.kind() == Kind::Datasec) TRY_VOID(finder.section(type));
  return finder.take();
}

}  // namespace skep::btf
