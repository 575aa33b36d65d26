#include "spec/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace skep::spec {
namespace {

constexpr Fact kUnknown{};

std::string describe(const Numbers& numbers) {
  if (numbers.umin == numbers.umax) return fmt::format("{:#x}", numbers.umin);
  std::string text = fmt::format("{:#x} to {:#x}", numbers.umin, numbers.umax);
  if (numbers.smin != static_cast<std::int64_t>(numbers.umin) ||
      numbers.smax != static_cast<std::int64_t>(numbers.umax))
    text += fmt::format(", signed {} to {}", numbers.smin, numbers.smax);
  if (numbers.low_umin != 0 || numbers.low_umax != ~std::uint32_t{0})
    text += fmt::format(", low half {:#x} to {:#x}", numbers.low_umin, numbers.low_umax);
  if (numbers.low_smin != std::numeric_limits<std::int32_t>::min() ||
      numbers.low_smax != std::numeric_limits<std::int32_t>::max())
    text += fmt::format(", signed low half {} to {}", numbers.low_smin, numbers.low_smax);
  if (numbers.unknown != ~std::uint64_t{0}) text += fmt::format(", bits {:#x}/{:#x}", numbers.bits, numbers.unknown);
  return text;
}

std::string plus(std::string_view base, const Numbers& numbers) {
  if (numbers.smin == 0 && numbers.smax == 0) return std::string(base);
  if (numbers.smin == numbers.smax) return fmt::format("{} {:+}", base, numbers.smin);
  return fmt::format("{} plus {}", base, describe(numbers));
}

}  // namespace

std::string describe(const Fact& fact) {
  const auto map = [&] { return fmt::format("map {}", static_cast<std::uint32_t>(fact.map)); };
  switch (fact.kind) {
    case Fact::Kind::Unknown: return "anything";
    case Fact::Kind::Number: return "a number: " + describe(fact.numbers);
    case Fact::Kind::Context: return plus("the context", fact.numbers);
    case Fact::Kind::Frame: return plus("the frame pointer", fact.numbers);
    case Fact::Kind::Packet: return plus("the packet", fact.numbers);
    case Fact::Kind::PacketMeta: return plus("the packet's metadata", fact.numbers);
    case Fact::Kind::PacketEnd: return "the packet's end";
    case Fact::Kind::MapValue: return plus("a value of " + map(), fact.numbers);
    case Fact::Kind::MapValueOrNull: return plus("a value of " + map(), fact.numbers) + " or NULL";
    case Fact::Kind::Map: return map();
  }
  return {};
}

const Fact& Facts::at(std::size_t insn, unsigned reg) const noexcept {
  for (std::size_t i = insn;; --i) {
    for (const Claim claim : news(i))
      if (claim.reg == reg) return values[claim.value];
    if (entries[i].reach != Reach::Follows || i == 0) return kUnknown;
  }
}

Facts Facts::moved(std::span<const std::uint32_t> places, std::size_t size) const {
  Facts result;
  result.values = values;
  result.entries.resize(size);
  const auto append = [&](std::size_t to, Reach reach, std::span<const Claim> said) {
    result.entries[to] = {static_cast<std::uint32_t>(result.claims.size()), static_cast<std::uint16_t>(said.size()),
                          reach};
    result.claims.insert(result.claims.end(), said.begin(), said.end());
  };
  std::array<Claim, isa::kRegisters> now{};  // what is known of each register
  bool interrupted = false;                  // the instruction before became several, or none
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t end = i + 1 < places.size() ? places[i + 1] : size;
    const Reach reach = entries[i].reach;
    if (reach != Reach::Follows) now = {};
    for (const Claim claim : news(i)) now[claim.reg] = claim;
    if (reach == Reach::Follows && interrupted) {
      std::vector<Claim> all;
      std::ranges::copy_if(now, std::back_inserter(all), [](Claim claim) { return claim.value != 0; });
      append(places[i], Reach::Anew, all);
    } else if (places[i] < end) {
      append(places[i], reach, news(i));
    }
    interrupted = end != places[i] + 1;
    if (reach == Reach::Never) continue;
    for (std::size_t at = places[i] + std::size_t{1}; at < end; ++at) append(at, Reach::Anew, {});
  }
  return result;
}

}  // namespace skep::spec
