// What the facts pass knows of one value: a lattice over pointer kinds, each with a Scalar for its number or offset.
//
// join(a, b) has every value of either; widened(old, grown) too, and is such that a chain of widenings ends after a few
// steps. Numbers are facts of the bits in the register, whatever the kind: an Any that was compared with 5 is 5, though
// it may still be a pointer for all we know. Tested by: verifier/facts/value_test.cc.
#pragma once

#include <cstdint>

#include "verifier/domain/scalar.h"

namespace skep::verifier {

using Number = Scalar<64>;

// The domain's rules that the pass computes with: any release's are sound.
inline constexpr Rules kFactRules = Rules::Linux612;

struct Value {
  enum class Is : std::uint8_t {
    Any,    // a pointer or a number; the bits are one of `number`
    Unset,  // no verified program reads it: what a call leaves in r1 to r5
    Integer,
    Context,  // from here to MapValueOrNull: the object's base plus one of `number`
    Frame,    // of the function that runs
    Packet,
    PacketMeta,
    MapValue,
    MapValueOrNull,
    PacketEnd,
    Map,
  };
  Is is = Is::Any;
  std::uint32_t map = 0;  // index in the verifier's input, of Map*
  Number number = {};

  friend bool operator==(const Value&, const Value&) = default;
  bool is_packet() const noexcept { return is == Is::Packet || is == Is::PacketMeta || is == Is::PacketEnd; }
  // What it may have in common with others: bits that `number` speaks of.
  bool is_plain() const noexcept { return is == Is::Any || is == Is::Integer; }
  // A pointer that arithmetic moves inside its object.
  bool has_offset() const noexcept {
    return is == Is::Context || is == Is::Frame || is == Is::Packet || is == Is::PacketMeta || is == Is::MapValue;
  }
  // Whether an access through it may reach the stack at a place not known.
  bool may_reach_stack() const noexcept { return is == Is::Any || is == Is::Integer || is == Is::Frame; }
  bool is_null() const noexcept { return is == Is::Integer && number.is_constant() && number.value() == 0; }
};

Number join(const Number& a, const Number& b) noexcept;
Value join(const Value& a, const Value& b) noexcept;
// `grown` is above `old`; so is the result, and what grew is given up as far as it may grow again.
Value widened(const Value& old, const Value& grown) noexcept;

}  // namespace skep::verifier
