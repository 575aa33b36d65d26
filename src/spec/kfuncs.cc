#include "spec/kfuncs.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

template <class... Types>
constexpr std::uint64_t mask(Types... types) noexcept {
  return (std::uint64_t{0} | ... | (std::uint64_t{1} << static_cast<unsigned>(types)));
}

// One constant per group of types.
namespace groups {
constexpr std::uint64_t All = ~std::uint64_t{0};
#define KFUNC_TYPES(Name, ...)        \
  constexpr std::uint64_t Name = [] { \
    using enum ProgType;              \
    return mask(__VA_ARGS__);         \
  }();
#define KFUNC(...)
#define KFUNC_ITERATOR(...)
#include "spec/kfuncs.def"
#undef KFUNC_TYPES
#undef KFUNC
#undef KFUNC_ITERATOR
constexpr std::uint64_t Generic = Tracers | Classifier | Xdp | StructOps | Syscall | Cgroup;
constexpr std::uint64_t Masks = Tracers | StructOps | Syscall;
constexpr std::uint64_t Tracking = Xdp | Classifier;
}  // namespace groups

constexpr auto kRows = [] {
  using enum KfuncTrait;
  std::array rows{
#define KFUNC_TYPES(...)
#define KFUNC(name, groups_, traits) \
  Kfunc{#name,                       \
        [] {                         \
          using namespace groups;    \
          return groups_;            \
        }(),                         \
        traits},
#define KFUNC_ITERATOR(name, bytes, traits)                         \
  Kfunc{#name "_new", groups::All, IterNew | (traits), bytes},      \
      Kfunc{#name "_next", groups::All, IterNext | RetNull, bytes}, \
      Kfunc{#name "_destroy", groups::All, IterDestroy, bytes},
#include "spec/kfuncs.def"
#undef KFUNC_TYPES
#undef KFUNC
#undef KFUNC_ITERATOR
  };
  std::ranges::sort(rows, {}, &Kfunc::name);
  return rows;
}();
static_assert(std::ranges::adjacent_find(kRows, {}, &Kfunc::name) == kRows.end());

// Functions that not all programs of a type may call.
bool is_attached_right(std::string_view name, ProgType type, AttachType attach) {
  if (name == "bpf_sock_destroy") return type == ProgType::Tracing && attach == AttachType::TraceIter;
  if (name.starts_with("bpf_session_"))
    return attach == AttachType::TraceKprobeMulti || attach == AttachType::TraceKprobeSession;
  return true;
}

}  // namespace

std::span<const Kfunc> kfuncs() noexcept { return kRows; }

const Kfunc* find_kfunc(std::string_view name) noexcept {
  const auto row = std::ranges::lower_bound(kRows, name, {}, &Kfunc::name);
  return row == kRows.end() || row->name != name ? nullptr : &*row;
}

std::optional<std::uint32_t> kfunc_row(std::string_view name) noexcept {
  const Kfunc* kfunc = find_kfunc(name);
  return kfunc == nullptr ? std::nullopt : std::optional(static_cast<std::uint32_t>(kfunc - kRows.data()));
}

bool kfunc_allowed(const Kfunc& kfunc, ProgType type, AttachType attach) noexcept {
  return (kfunc.types & mask(type)) != 0 && is_attached_right(kfunc.name, type, attach);
}

}  // namespace skep::spec
