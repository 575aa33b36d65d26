#include "spec/helper_access.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

enum class Set : std::uint8_t {
#define HELPER_SET(Name, ...) Name,
#define PROG_HELPERS(...)
#define HELPER_ATTACH(...)
#define HELPER_VARIANT(...)
#include "spec/helper_sets.def"
#undef HELPER_SET
};

enum class Capability : std::uint8_t { None, Bpf, Perfmon };

// One bit per helper id.
struct Ids {
  std::array<std::uint64_t, (kHelperCount + 64) / 64> words{};
  constexpr bool has(HelperId id) const noexcept {
    const auto n = static_cast<std::size_t>(id);
    return (words[n / 64] >> (n % 64) & 1) != 0;
  }
};

template <class... Helpers>
constexpr Ids ids(Helpers... helpers) noexcept {
  Ids set;
  for (const HelperId id : {helpers...}) {
    const auto n = static_cast<std::size_t>(id);
    set.words[n / 64] |= std::uint64_t{1} << (n % 64);
  }
  return set;
}

struct SetRow {
  Capability needs;
  Ids helpers;
};

constexpr std::array kSets{
#define HELPER_SET(Name, needs, ...) \
  SetRow{Capability::needs, [] {     \
           using enum HelperId;      \
           return ids(__VA_ARGS__);  \
         }()},
#include "spec/helper_sets.def"
#undef HELPER_SET
};
#undef PROG_HELPERS
#undef HELPER_ATTACH
#undef HELPER_VARIANT

// One bit per Set or AttachType.
template <class... Values>
constexpr std::uint64_t mask(Values... values) noexcept {
  return (... | (std::uint64_t{1} << static_cast<unsigned>(values)));
}
static_assert(kSets.size() <= 64);

struct ProgRow {
  ProgType type;
  std::uint64_t sets;
};

constexpr std::array kProgs{
#define HELPER_SET(...)
#define HELPER_ATTACH(...)
#define HELPER_VARIANT(...)
#define PROG_HELPERS(Type, ...)       \
  ProgRow{ProgType::Type, [] {        \
            using enum Set;           \
            return mask(__VA_ARGS__); \
          }()},
#include "spec/helper_sets.def"
#undef PROG_HELPERS
#undef HELPER_ATTACH
};

struct AttachRow {
  ProgType type;
  Set set;
  std::uint64_t attach_types;
};

constexpr std::array kAttach{
#define PROG_HELPERS(...)
#define HELPER_ATTACH(Type, Name, ...)      \
  AttachRow{ProgType::Type, Set::Name, [] { \
              using enum AttachType;        \
              return mask(__VA_ARGS__);     \
            }()},
#include "spec/helper_sets.def"
#undef HELPER_ATTACH
#undef HELPER_VARIANT
};

struct Variant {
  ProgType type;
  Helper helper;
};

constexpr std::array kVariants{
#define HELPER_ATTACH(...)
#define HELPER_VARIANT(Type, name_, result_, traits_, ...)                     \
  Variant{ProgType::Type, Helper{HelperId::name_, #name_, ResultKind::result_, \
                                 [] {                                          \
                                   using enum HelperTrait;                     \
                                   return traits_;                             \
                                 }(),                                          \
                                 [] {                                          \
                                   using enum ArgKind;                         \
                                   return detail::args_of(__VA_ARGS__);        \
                                 }()}},
#include "spec/helper_sets.def"
#undef HELPER_VARIANT
#undef HELPER_ATTACH
#undef PROG_HELPERS
#undef HELPER_SET
};

// ---- Attached to functions
enum class Iterators : std::uint8_t { All, Named };
struct Targets {
  HelperId helper;
  Iterators iterators;
  std::array<std::string_view, 10> functions;
};
constexpr std::array kTargets{
#define HELPER_HOOKS(...)
#define HELPER_TARGETS(helper, ...) Targets{HelperId::helper, Iterators::All, {__VA_ARGS__}},
#define HELPER_ITERATORS(helper, ...) Targets{HelperId::helper, Iterators::Named, {__VA_ARGS__}},
#include "spec/helper_targets.def"
#undef HELPER_ITERATORS
#undef HELPER_TARGETS
#undef HELPER_HOOKS
};
constexpr Ids kSleepingHooks =
#define HELPER_TARGETS(...)
#define HELPER_ITERATORS(...)
#define HELPER_HOOKS(...)    \
  [] {                       \
    using enum HelperId;     \
    return ids(__VA_ARGS__); \
  }()
#include "spec/helper_targets.def"
#undef HELPER_ITERATORS
#undef HELPER_TARGETS
#undef HELPER_HOOKS
    ;

bool loader_may(Capability needed, LoaderRights rights) noexcept {
  switch (needed) {
    case Capability::None: return true;
    case Capability::Bpf: return rights.bpf;
    case Capability::Perfmon: return rights.bpf && rights.perfmon;
  }
  return false;
}

bool attached_right(ProgType type, std::size_t set, AttachType attach) noexcept {
  for (const AttachRow& row : kAttach) {
    if (row.type == type && static_cast<std::size_t>(row.set) == set) return (row.attach_types & mask(attach)) != 0;
  }
  return true;
}

}  // namespace

bool helper_allowed(ProgType type, AttachType attach, HelperId id, LoaderRights rights) noexcept {
  const auto prog = std::ranges::find(kProgs, type, &ProgRow::type);
  if (prog == kProgs.end()) return false;
  for (std::size_t set = 0; set < kSets.size(); ++set) {
    if ((prog->sets >> set & 1) == 0 || !kSets[set].helpers.has(id)) continue;
    if (loader_may(kSets[set].needs, rights) && attached_right(type, set, attach)) return true;
  }
  return false;
}

bool helper_allowed_at(const FunctionTarget& target, ProgType type, AttachType attach, HelperId id) noexcept {
  if (type == ProgType::Lsm) return target.may_sleep || !kSleepingHooks.has(id);
  const auto row = std::ranges::find(kTargets, id, &Targets::helper);
  if (type != ProgType::Tracing || row == kTargets.end()) return true;
  if (attach == AttachType::TraceIter && row->iterators == Iterators::All) return true;
  return !target.name.empty() && std::ranges::find(row->functions, target.name) != row->functions.end();
}

const Helper& signature(ProgType type, HelperId id) noexcept {
  for (const Variant& row : kVariants) {
    if (row.type == type && row.helper.id == id) return row.helper;
  }
  return helper(id);
}

}  // namespace skep::spec
