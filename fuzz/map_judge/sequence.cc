#include "map_judge/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace skep::map_judge {
namespace {

using maps::EntriesRule, maps::Family, maps::KeyRule, maps::Kind, maps::ValueRule;
using soundness::Draw;
using spec::MapSpec, spec::MapType;

struct ActRow {
  std::string_view text;
  unsigned weight;
};
constexpr ActRow kActs[] = {
#define ACT(Name, text, weight) {text, weight},
#include "map_judge/acts.def"
#undef ACT
};
constexpr std::string_view kFlaws[] = {
#define FLAW(Name, text) text,
#include "map_judge/flaws.def"
#undef FLAW
};
constexpr std::uint32_t kPage = 4096;

bool once_in(Draw& draw, std::uint64_t times) { return draw.below(times) == 0; }
std::uint32_t between(Draw& draw, std::uint64_t least, std::uint64_t most) {
  return static_cast<std::uint32_t>(least + draw.below(most - least + 1));
}
template <class T>
T one_of(Draw& draw, std::initializer_list<T> values) {
  return values.begin()[draw.below(values.size())];
}

std::uint32_t draw_key_size(Draw& draw, KeyRule rule) {
  switch (rule) {
    case KeyRule::None: return 0;
    case KeyRule::Index: return 4;
    case KeyRule::Bytes:
    case KeyRule::Short: return once_in(draw, 8) ? between(draw, 17, 100) : between(draw, 1, 16);
    case KeyRule::Prefix: return once_in(draw, 8) ? between(draw, 5, 40) : one_of(draw, {5U, 8U, 12U, 20U});
    case KeyRule::Cgroup: return one_of(draw, {8U, 16U});
  }
  __builtin_unreachable();
}

std::uint32_t draw_value_size(Draw& draw, ValueRule rule, std::uint32_t flags) {
  switch (rule) {
    case ValueRule::None: return 0;
    case ValueRule::Bytes: return once_in(draw, 10) ? between(draw, 100, 5000) : between(draw, 1, 40);
    case ValueRule::PerCpu: return between(draw, 1, 40);
    case ValueRule::Fd: return 4;
    case ValueRule::Device:
    case ValueRule::FdOrCookie: return one_of(draw, {4U, 8U});
    case ValueRule::Frames: return between(draw, 1, 8) * ((flags & spec::kStackBuildId) != 0 ? 32 : 8);
  }
  __builtin_unreachable();
}

std::uint32_t draw_entries(Draw& draw, EntriesRule rule, unsigned cpus) {
  switch (rule) {
    case EntriesRule::Some: return once_in(draw, 6) ? between(draw, 30, 300) : between(draw, 1, 30);
    case EntriesRule::Pages: return kPage << draw.below(3);
    case EntriesRule::Cpus: return between(draw, 1, cpus + 2);
    case EntriesRule::One: return 1;
    case EntriesRule::None: return 0;
    case EntriesRule::ArenaPages: return between(draw, 1, 8);
  }
  __builtin_unreachable();
}

// What a kind cannot do without.
std::uint32_t needed_flags(const Kind& kind) noexcept {
  if (kind.family == Family::Arena) return spec::kMmapable;
  const bool is_storage = kind.has(maps::kTyped);
  return is_storage || kind.family == Family::Trie ? std::uint32_t{spec::kNoPrealloc} : 0;
}

std::uint32_t draw_flags(Draw& draw, const Kind& kind) {
  std::uint32_t flags = needed_flags(kind);
  for (unsigned bit = 0; bit < 32; ++bit)
    if ((kind.flags >> bit & 1) != 0 && once_in(draw, 6)) flags |= 1U << bit;
  if ((flags & spec::kRdonlyProg) != 0 && !once_in(draw, 8)) flags &= ~std::uint32_t{spec::kWronlyProg};
  if ((flags & spec::kRdonly) != 0 && !once_in(draw, 8)) flags &= ~std::uint32_t{spec::kWronly};
  return flags;
}

// One field that no map of the kind may have, or that is at the edge of what it may.
void spoil(Draw& draw, MapSpec& spec) {
  switch (draw.below(5)) {
    case 0: spec.key_size = one_of(draw, {0U, 1U, 3U, 4U, 5U, 8U, 16U, 260U, 261U, 512U, 513U, 0xffffffffU}); break;
    case 1: spec.value_size = one_of(draw, {0U, 1U, 3U, 4U, 5U, 8U, 12U, 16U, 32768U, 32769U, 0xffffffffU}); break;
    case 2: spec.max_entries = one_of(draw, {0U, 1U, 2U, 3U, 4095U, 4096U}); break;
    case 3: spec.flags ^= 1U << draw.below(20); break;
    default: spec.extra = one_of<std::uint64_t>(draw, {1, 5, 15, 16, 4096, std::uint64_t{1} << 40}); break;
  }
}

Act draw_act(Draw& draw) {
  unsigned total = 0;
  for (const ActRow& row : kActs) total += row.weight;
  auto at = static_cast<unsigned>(draw.below(total));
  std::size_t act = 0;
  while (at >= kActs[act].weight) at -= kActs[act++].weight;
  return static_cast<Act>(act);
}

Flaw draw_flaw(Draw& draw) { return once_in(draw, 16) ? static_cast<Flaw>(draw.below(std::size(kFlaws))) : Flaw::None; }

std::uint64_t draw_update_flags(Draw& draw, bool has_lock) {
  if (has_lock && once_in(draw, 3)) return spec::kLock | draw.below(3);
  if (once_in(draw, 30)) return one_of<std::uint64_t>(draw, {3, 4, 5, 6, 7, 8, 16, std::uint64_t{1} << 40});
  return once_in(draw, 3) ? one_of<std::uint64_t>(draw, {spec::kNoExist, spec::kExist}) : std::uint64_t{spec::kAny};
}

std::uint64_t draw_read_flags(Draw& draw, bool has_lock) {
  if (has_lock && once_in(draw, 3)) return spec::kLock;
  return once_in(draw, 30) ? one_of<std::uint64_t>(draw, {1, 2, 4, 8, std::uint64_t{1} << 40}) : 0;
}

bool updates(Act act) noexcept { return act == Act::Update || act == Act::UpdateBatch; }

Operation draw_operation(Draw& draw, const Sequence& sequence) {
  Operation made;
  made.act = draw_act(draw);
  if (made.act == Act::Freeze && !once_in(draw, 6)) made.act = Act::Walk;  // little is left to do after it
  made.flaw = draw_flaw(draw);
  made.goes_on = once_in(draw, 3);
  made.from_start = once_in(draw, 5);
  made.key = once_in(draw, 40) ? kFarKey : static_cast<std::uint32_t>(draw.below(sequence.keys));
  made.value = static_cast<std::uint32_t>(draw.below(1000));
  made.count = once_in(draw, 4) ? between(draw, 0, 2) : between(draw, 0, std::uint64_t{2} * sequence.keys);
  made.flags =
      updates(made.act) ? draw_update_flags(draw, sequence.has_lock) : draw_read_flags(draw, sequence.has_lock);
  return made;
}

std::uint32_t draw_keys(Draw& draw, const MapSpec& spec, unsigned cpus) {
  constexpr std::uint32_t kOwners = 60;  // where elements are not counted
  const std::uint32_t entries = spec.max_entries == 0 ? kOwners : std::min(spec.max_entries, 400U);
  const std::uint32_t kept = std::min(keys_without_eviction(spec, cpus), entries);
  if (kept < entries && kept > 0 && once_in(draw, 2)) return kept;
  return between(draw, std::max(1U, entries / 2), entries + entries / 2 + 2);
}

}  // namespace

std::string_view name(Act act) noexcept { return kActs[static_cast<std::size_t>(act)].text; }
std::string_view name(Flaw flaw) noexcept { return kFlaws[static_cast<std::size_t>(flaw)]; }

// Each CPU takes free elements in advance, and when it takes more than there are, it evicts the rest of its share.
std::uint32_t keys_without_eviction(const MapSpec& spec, unsigned cpus) noexcept {
  if (const Kind* kind = maps::find_kind(spec.type); kind == nullptr || !kind->has(maps::kLru)) return UINT32_MAX;
  constexpr std::uint32_t kPerCpuShare = 4, kCommonShare = 128;
  const bool common = (spec.flags & spec::kNoCommonLru) == 0;
  const std::uint32_t all = common ? spec.max_entries : spec.max_entries / cpus;
  const std::uint32_t share = common ? std::clamp(all / cpus / 2, 1U, kCommonShare) : kPerCpuShare;
  return all > share + 1 ? all - share - 1 : 0;
}

Sequence draw(MapType type, std::uint64_t seed, std::uint32_t length, unsigned cpus) {
  Draw draw(seed * 0x9e37'79b9'7f4a'7c15 + std::to_underlying(type));
  const Kind& kind = *maps::find_kind(type);
  Sequence made;
  MapSpec& spec = made.spec;
  spec.type = type;
  spec.flags = draw_flags(draw, kind);
  spec.key_size = draw_key_size(draw, kind.key);
  spec.value_size = draw_value_size(draw, kind.value, spec.flags);
  spec.max_entries = draw_entries(draw, kind.entries, cpus);
  if (kind.family == Family::Bloom) spec.extra = draw.below(16);
  if (kind.value == ValueRule::Bytes && spec.value_size >= 8) made.has_lock = once_in(draw, 5);
  if (once_in(draw, 12)) spoil(draw, spec);
  made.inner = static_cast<std::uint32_t>(draw.below(64));
  made.keys = draw_keys(draw, spec, cpus);
  while (made.operations.size() < length) made.operations.push_back(draw_operation(draw, made));
  return made;
}

std::string to_text(const Operation& operation) {
  std::string text{name(operation.act)};
  using enum Act;
  const Act act = operation.act;
  const bool batch = act == LookupBatch || act == TakeBatch || act == UpdateBatch || act == DeleteBatch;
  if (act == NextKey && operation.from_start) text += " from the start";
  if (batch || act == WalkBatch || act == Drain) text += fmt::format(" of {}", operation.count);
  if (act == Lookup || updates(act) || act == Delete || act == Take || act == DeleteBatch ||
      (act == NextKey && !operation.from_start))
    text += operation.key == kFarKey ? " key far" : fmt::format(" key {}", operation.key);
  if (updates(act)) text += fmt::format(" value {}", operation.value);
  if (operation.goes_on && (act == LookupBatch || act == TakeBatch)) text += " going on";
  if (operation.flags != 0) text += fmt::format(" flags {:#x}", operation.flags);
  if (operation.flaw != Flaw::None) text += fmt::format(" ({})", name(operation.flaw));
  return text;
}

std::string to_text(const Sequence& sequence) {
  const MapSpec& spec = sequence.spec;
  std::string text = fmt::format("{} key_size {} value_size {} max_entries {}", spec::name(spec.type), spec.key_size,
                                 spec.value_size, spec.max_entries);
  if (spec.flags != 0) text += fmt::format(" flags {:#x}", spec.flags);
  if (spec.extra != 0) text += fmt::format(" extra {:#x}", spec.extra);
  if (sequence.has_lock) text += ", values with a lock";
  text += '\n';
  for (const Operation& operation : sequence.operations) text += "  " + to_text(operation) + '\n';
  return text;
}

}  // namespace skep::map_judge
