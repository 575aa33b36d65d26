// What is known of every register on entry to each instruction of a verified program, on every path and in every run:
// what engines may rely on.
//
// Facts come from a forward pass over the verified instructions that joins over all edges of the flow graph
// (verifier/facts/), never from the states a walk explored: pruning means that many states were never visited. They
// are plain data and name maps by id, so that they travel with an image.
//
// Layout: an instruction says what is new to it compared with the one before; at the start of a basic block that is
// all there is. So reading on is cheap, and asking for one register walks back inside its block. What is not said is
// unknown. Second slots of 64-bit immediates are part of their instruction. Cost: about 10 bytes an instruction and 72
// a value. Immutable once made. Tested by: spec/facts_test.cc, verifier/facts/facts_test.cc, interp/claims_test.cc,
// which compares them with what registers hold, and so does every run under the checked policy.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "spec/types.h"

namespace skep::spec {

// The numbers that are in all of its ranges, and whose known bits are as in `bits`.
struct Numbers {
  std::uint64_t bits = 0;         // of what is known, the others 0
  std::uint64_t unknown = ~bits;  // bits that may be either
  std::uint64_t umin = 0;         // of the whole
  std::uint64_t umax = ~std::uint64_t{0};
  std::int64_t smin = std::numeric_limits<std::int64_t>::min();
  std::int64_t smax = std::numeric_limits<std::int64_t>::max();
  std::uint32_t low_umin = 0;  // of its lower 32 bits
  std::uint32_t low_umax = ~std::uint32_t{0};
  std::int32_t low_smin = std::numeric_limits<std::int32_t>::min();
  std::int32_t low_smax = std::numeric_limits<std::int32_t>::max();

  constexpr bool has(std::uint64_t x) const noexcept {
    const auto low = static_cast<std::uint32_t>(x);
    const auto whole = static_cast<std::int64_t>(x);
    return (x & ~unknown) == bits && umin <= x && x <= umax && smin <= whole && whole <= smax && low_umin <= low &&
           low <= low_umax && low_smin <= static_cast<std::int32_t>(low) && static_cast<std::int32_t>(low) <= low_smax;
  }
  constexpr bool is_constant() const noexcept { return unknown == 0 || umin == umax; }
  // Whether 0 is none of them; of the lower 32 bits alone.
  constexpr bool excludes_zero() const noexcept { return !has(0); }
  constexpr bool low_excludes_zero() const noexcept {
    return low_umin > 0 || low_smin > 0 || low_smax < 0 || static_cast<std::uint32_t>(bits) != 0;
  }

  friend constexpr bool operator==(const Numbers&, const Numbers&) = default;
};

// What a register holds.
struct Fact {
  enum class Kind : std::uint8_t {
    Unknown,         // anything
    Number,          // one of `numbers`
    Context,         // the context the program was entered with, plus one of `numbers`
    Frame,           // the frame pointer of the function that runs, plus one of `numbers`
    Packet,          // the packet's data, plus one of `numbers`
    PacketMeta,      // the metadata before the packet, plus one of `numbers`
    PacketEnd,       // the end of the packet's data
    MapValue,        // a value of `map`, plus one of `numbers`
    MapValueOrNull,  // the same, or NULL
    Map,             // `map` itself
  };
  Kind kind = Kind::Unknown;
  MapId map = MapId::None;
  Numbers numbers = {};

  friend constexpr bool operator==(const Fact&, const Fact&) = default;
};
// "a number from 0 to 255", "the frame pointer -8", "a value of map 7 or NULL".
std::string describe(const Fact& fact);

struct Facts {
  enum class Reach : std::uint8_t {
    Never,    // no path comes here
    Follows,  // only from the instruction before, of which it says what changed
    Anew,     // says all there is
  };
  struct Entry {
    std::uint32_t first = 0;  // of its claims
    std::uint16_t count = 0;
    Reach reach = Reach::Never;
  };
  struct Claim {
    std::uint32_t reg : 4 = 0;
    std::uint32_t value : 28 = 0;  // index in `values`

    static constexpr Claim of(unsigned reg, std::uint32_t value) noexcept {
      return {.reg = reg & 0xfU, .value = value & 0xfff'ffffU};
    }
  };

  std::vector<Fact> values{Fact{}};  // the first is Unknown
  std::vector<Claim> claims;
  std::vector<Entry> entries;  // by instruction

  bool reached(std::size_t insn) const noexcept { return entries[insn].reach != Reach::Never; }
  // What is new on entry to `insn`, each register at most once.
  std::span<const Claim> news(std::size_t insn) const noexcept {
    return std::span(claims).subspan(entries[insn].first, entries[insn].count);
  }
  const Fact& of(Claim claim) const noexcept { return values[claim.value]; }
  // What register `reg` holds on entry to `insn`. Cost: linear in the distance to the start of the block.
  const Fact& at(std::size_t insn, unsigned reg) const noexcept;

  // The facts of the program that becomes of this one when instruction i goes to `places[i]` and may have become
  // several, `size` in all. Nothing is claimed behind the first of several: a rewriting may use registers as it likes
  // there, as long as the next instruction of old finds in them what it would have found.
  Facts moved(std::span<const std::uint32_t> places, std::size_t size) const;
};

}  // namespace skep::spec
