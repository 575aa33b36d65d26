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
  using Kinds = std::uint32_t;  // one bit per row of kNamed
  static constexpr Kinds bit(Special kind) { return 1U << static_cast<unsigned>(kind); }

  explicit Finder(const Btf& btf, Kinds plain = 0) : btf_(btf), plain_(plain) {}  // plain: kinds that are mere data
  Result<> composite(const Type& type, std::uint32_t offset, unsigned depth);
  Result<> section(const Type& type);
  std::vector<SpecialField> take() {
    std::ranges::sort(found_, {}, [](const SpecialField& f) { return std::pair(f.offset, f.kind); });
    return std::move(found_);
  }

 private:
  using Seen = Kinds;
  // Bytes: of the structure in the value, and of the member in it. Alignment counts within the structure.
  struct Offset {
    std::uint32_t base, member;
    std::uint32_t whole() const { return base + member; }
  };
  Result<> place(std::uint32_t id, Offset offset, unsigned depth, Seen& seen);
  Result<> named(const Named& row, const Type& type, Offset offset, std::uint64_t times, Seen& seen);
  std::optional<SpecialField> kptr(const Type& type) const;
  Result<> add(SpecialField field, std::uint64_t times);

  const Btf& btf_;
  Kinds plain_;
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

Result<> Finder::named(const Named& row, const Type& type, Offset offset, std::uint64_t times, Seen& seen) {
  if (row.how_many == HowMany::Once && (seen & bit(row.kind)) != 0)
    return fail(E2BIG, fmt::format("the value has more than one {}", row.name));
  seen |= bit(row.kind);
  if (type.kind() != Kind::Struct) return {};
  if (type.size() != row.bytes || offset.member % row.alignment != 0) return {};
  return add({row.kind, offset.whole(), row.bytes, 0}, times);
}

// What lies at `offset`, whose type is `id`: through arrays, but not through modifiers, as in the kernel.
Result<> Finder::place(std::uint32_t id, Offset offset, unsigned depth, Seen& seen) {
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
  if (row != kNamed.end() && (plain_ & bit(row->kind)) == 0) return named(*row, type, offset, times, seen);
  if (is_composite(type.kind())) {
    const std::size_t before = found_.size();
    TRY_VOID(composite(type, offset.whole(), depth + 1));
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
  if (!pointer || offset.member % kPointerBytes != 0) return {};
  pointer->offset = offset.whole();
  return add(*pointer, times);
}

Result<> Finder::composite(const Type& type, std::uint32_t offset, unsigned depth) {
  if (depth >= kMaxDepth) return fail(E2BIG, "the value's structures are nested too deeply");
  Seen seen = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Member member = type.member(i);
    TRY_VOID(place(member.type, {offset, member.bit_offset / 8}, depth, seen));
  }
  return {};
}

Result<> Finder::section(const Type& type) {
  Seen seen = 0;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Variable variable = type.variable(i);
    TRY_VOID(place(btf_.type(variable.type).type(), {0, variable.offset}, 0, seen));
  }
  return {};
}

// Whether a member is of one of two types.
using Either = std::array<std::optional<std::uint32_t>, 2>;
bool has_member_of(const Type& type, const Either& ids) {
  for (std::uint32_t i = 0; i < type.vlen(); ++i)
    if (std::ranges::find(ids, std::optional(type.member(i).type)) != ids.end()) return true;
  return false;
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

Result<> check_locks(const Btf& btf) {
  const Either judged{btf.find("bpf_spin_lock", Kind::Struct), btf.find("bpf_refcount", Kind::Struct)};
  if (!judged[0] && !judged[1]) return {};
  for (std::uint32_t id = 1; id <= btf.count(); ++id) {
    const Type type = btf.type(id);
    if (type.kind() != Kind::Struct || !has_member_of(type, judged)) continue;
    Finder finder(btf, Finder::bit(Special::Timer) | Finder::bit(Special::Wq));
    if (Result<> done = finder.composite(type, 0, 0); !done)
      return fail(done.error().code, fmt::format("type {} ({}): {}", id, type.name(), done.error().message));
    if (finder.take().empty()) return fail(EFAULT, fmt::format("type {} ({}): a misplaced lock", id, type.name()));
  }
  return {};
}

}  // namespace skep::btf
