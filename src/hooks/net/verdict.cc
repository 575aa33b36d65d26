#include "hooks/net/verdict.h"

#include <limits>

namespace skep::hooks::net {
namespace {

constexpr std::int64_t kOther = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kWhole = kOther - 1, kCut = kOther - 2;

constexpr Verdict kVerdicts[] = {
#define VERDICT(hook, value, name, fate) {Hook::hook, value, name, Fate::fate},
#include "hooks/net/verdicts.def"
#undef VERDICT
};

// What the table's value column says about a returned number.
std::int64_t value_of(Hook hook, std::uint32_t returned, std::size_t bytes) noexcept {
  switch (hook) {
    case Hook::Xdp: return returned;
    case Hook::Tc: return static_cast<std::int32_t>(returned);
    case Hook::Socket: return returned == 0 ? 0 : returned >= bytes ? kWhole : kCut;
  }
  return kOther;
}

}  // namespace

std::optional<Hook> hook_of(spec::ProgType type) noexcept {
  if (type == spec::ProgType::Xdp) return Hook::Xdp;
  if (type == spec::ProgType::SchedCls || type == spec::ProgType::SchedAct) return Hook::Tc;
  if (type == spec::ProgType::SocketFilter) return Hook::Socket;
  return std::nullopt;
}

std::string_view hooked_types() noexcept { return "xdp, sched_cls, sched_act, socket_filter"; }

std::span<const Verdict> verdicts() noexcept { return kVerdicts; }

const Verdict& verdict_of(Hook hook, std::uint32_t returned, std::size_t bytes) noexcept {
  const std::int64_t value = value_of(hook, returned, bytes);
  const Verdict* last = kVerdicts;
  for (const Verdict& verdict : kVerdicts) {
    if (verdict.hook != hook) continue;
    if (verdict.value == value) return verdict;
    last = &verdict;
  }
  return *last;
}

}  // namespace skep::hooks::net
