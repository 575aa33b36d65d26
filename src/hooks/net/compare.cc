#include "hooks/net/compare.h"

#include <fmt/format.h>

#include <algorithm>

#include "spec/context.h"

namespace skep::hooks::net {
namespace {

std::string verdict_text(Hook hook, const Outcome& outcome) {
  switch (outcome.state) {
    case Outcome::State::Stopped: return fmt::format("stopped ({})", outcome.why);
    case Outcome::State::Unfit: return fmt::format("not run ({})", outcome.why);
    case Outcome::State::Ran: break;
  }
  const Verdict& verdict = verdict_of(hook, outcome.verdict, outcome.packet.size());
  return hook == Hook::Socket ? fmt::format("{} bytes", outcome.verdict)
                              : fmt::format("{} ({})", verdict.name, static_cast<std::int32_t>(outcome.verdict));
}

// Up to four bytes at the first difference.
std::string bytes_at(Bytes bytes, std::size_t at) {
  std::string text;
  for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i)
    text += fmt::format("{}{:02x}", i == at ? "" : " ", bytes[i]);
  return text.empty() ? "its end" : text;
}

std::size_t first_difference(Bytes a, Bytes b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::string field_at(Hook hook, std::size_t at) {
  const spec::ContextKind kind = hook == Hook::Xdp ? spec::ContextKind::Xdp : spec::ContextKind::SkBuff;
  const spec::ContextField* field = spec::find_field(kind, static_cast<std::int32_t>(at));
  return field ? fmt::format("{} (byte {})", field->name, at) : fmt::format("byte {}", at);
}

}  // namespace

std::vector<std::string> differences(Hook hook, std::string_view name_a, const Outcome& a, std::string_view name_b,
                                     const Outcome& b) {
  std::vector<std::string> found;
  if (a.state != b.state || (a.state == Outcome::State::Ran && a.verdict != b.verdict)) {
    found.push_back(fmt::format("verdict: {} {}, {} {}", name_a, verdict_text(hook, a), name_b, verdict_text(hook, b)));
  }
  if (a.state != Outcome::State::Ran || b.state != Outcome::State::Ran) return found;
  if (!std::ranges::equal(a.packet, b.packet)) {
    const std::size_t at = first_difference(a.packet, b.packet);
    found.push_back(fmt::format("packet: {} has {} bytes, {} has {}; at byte {}: {} and {}", name_a, a.packet.size(),
                                name_b, b.packet.size(), at, bytes_at(a.packet, at), bytes_at(b.packet, at)));
  }
  if (!a.context.empty() && !b.context.empty() && !std::ranges::equal(a.context, b.context)) {
    const std::size_t at = first_difference(a.context, b.context);
    found.push_back(fmt::format("context: at {}: {} {}, {} {}", field_at(hook, at), name_a, bytes_at(a.context, at),
                                name_b, bytes_at(b.context, at)));
  }
  return found;
}

}  // namespace skep::hooks::net
