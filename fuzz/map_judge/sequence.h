// A map and what is done with it, drawn at random: numbers only, so that both sides, the report and the minimiser read
// the same.
//
// A key and a value is a number each; what bytes they stand for depends on the map's kind (map_judge/material.h). The
// kinds and their rules are those of maps/kinds.def: a row that is added there is judged. Tested by:
// map_judge/map_judge_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "maps/kinds.h"
#include "soundness/draw.h"
#include "spec/map_spec.h"

namespace skep::map_judge {

enum class Act : std::uint8_t {
#define ACT(Name, text, weight) Name,
#include "map_judge/acts.def"
#undef ACT
};
std::string_view name(Act act) noexcept;

enum class Flaw : std::uint8_t {
#define FLAW(Name, text) Name,
#include "map_judge/flaws.def"
#undef FLAW
};
std::string_view name(Flaw flaw) noexcept;

inline constexpr std::uint32_t kFarKey = 0xffffffff;  // as an index: one that no map has

struct Operation {
  Act act = Act::Lookup;
  Flaw flaw = Flaw::None;
  bool goes_on = false;     // a batch lookup, from where the last one stopped
  bool from_start = false;  // NextKey: without a key
  std::uint32_t key = 0;
  std::uint32_t value = 0;
  std::uint32_t count = 0;  // of a batch
  std::uint64_t flags = 0;
};

struct Sequence {
  spec::MapSpec spec;
  std::uint32_t inner = 0;  // a map of maps: which of the things is its template (map_judge/things.h)
  bool has_lock = false;    // values start with a bpf_spin_lock
  std::uint32_t keys = 1;   // keys are numbers below it, or kFarKey
  std::vector<Operation> operations;
};

// `length` operations on a map of `type`; the same for the same seed.
Sequence draw(spec::MapType type, std::uint64_t seed, std::uint32_t length, unsigned cpus);

// The most keys that never make an LRU map of the kernel evict when one CPU does all; for others, all.
std::uint32_t keys_without_eviction(const spec::MapSpec& spec, unsigned cpus) noexcept;

std::string to_text(const Operation& operation);
std::string to_text(const Sequence& sequence);

}  // namespace skep::map_judge
