// What is known of one register, and of a value spilled to the stack.
//
// A register is a scalar or a pointer: what it points to, a fixed offset, and a variable one, which is a scalar
// as any other. Scalars that were copied share an id, so that what a comparison tells of one is told of all; a scalar
// that was copied and had a constant added keeps the id and the distance in `offset` (is_offset). Trivially copyable.
#pragma once

#include <cstdint>
#include <string_view>

#include "verifier/domain/print.h"
#include "verifier/domain/scalar.h"

namespace skep::verifier {

enum class Kind : std::uint8_t {
#define KIND(Name, text) Name,
#include "verifier/state/kinds.def"
#undef KIND
};
std::string_view name(Kind kind) noexcept;  // "ctx", "fp", "scalar"

// Ranges of packet pointers that were compared and found not to be inside: exactly at the end, or behind it.
inline constexpr std::int32_t kAtPacketEnd = -1, kBeyondPacketEnd = -2;

struct Register {
  Kind kind = Kind::Unset;
  bool written = false;    // since the last checkpoint
  bool is_offset = false;  // the scalar is that of its id, plus `offset`
  std::int32_t offset = 0;
  std::uint32_t id = 0;    // 0: none
  std::int32_t range = 0;  // of a packet pointer: bytes known to be there from the id's start, or one of the two below
  Scalar64 number;         // of a pointer its variable offset

  static Register of(Kind kind, const Scalar64& number) noexcept {
    Register result;
    result.kind = kind;
    result.number = number;
    return result;
  }
  static Register scalar(const Scalar64& number) noexcept { return of(Kind::Scalar, number); }
  static Register unknown() noexcept { return scalar(Scalar64::unknown()); }
  static Register constant(std::uint64_t x) noexcept { return scalar(Scalar64::constant(x)); }
  static Register pointer(Kind kind) noexcept { return of(kind, Scalar64::constant(0)); }

  bool is_scalar() const noexcept { return kind == Kind::Scalar; }
  bool is_pointer() const noexcept { return kind != Kind::Scalar && kind != Kind::Unset; }
  // Into the packet, or the bytes before it; its end is none.
  bool is_packet() const noexcept { return kind == Kind::Packet || kind == Kind::PacketMeta; }
  bool is_constant() const noexcept { return is_scalar() && number.is_constant(); }
  void unlink() noexcept { id = 0, offset = 0, is_offset = false; }
};

}  // namespace skep::verifier
