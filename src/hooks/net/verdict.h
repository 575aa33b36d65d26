// Verdicts of packet programs: their names, and what becomes of the packet. One table, verdicts.def.
// Tested by: hooks/net/verdict_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "spec/types.h"

namespace skep::hooks::net {

// Where packets meet programs.
enum class Hook : std::uint8_t { Xdp, Tc, Socket };
std::optional<Hook> hook_of(spec::ProgType type) noexcept;
// "xdp, sched_cls, sched_act, socket_filter", for messages.
std::string_view hooked_types() noexcept;

enum class Fate : std::uint8_t { Pass, Drop, Tx };

struct Verdict {
  Hook hook;
  std::int64_t value;
  std::string_view name;
  Fate fate;
};
std::span<const Verdict> verdicts() noexcept;

// The row for what a program returned on a packet of `bytes` bytes.
const Verdict& verdict_of(Hook hook, std::uint32_t returned, std::size_t bytes) noexcept;
// Index of a row of verdicts().
inline std::size_t index_of(const Verdict& verdict) noexcept {
  return static_cast<std::size_t>(&verdict - verdicts().data());
}

}  // namespace skep::hooks::net
