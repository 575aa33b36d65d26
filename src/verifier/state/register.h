// What is known of one register, and of a value spilled to the stack.
//
// A register is a scalar or a pointer: what it points to, a fixed offset, and a variable one, which is a scalar
// as any other. Scalars that were copied share an id, so that what a comparison tells of one is told of all; a scalar
// that was copied and had a constant added keeps the id and the distance in `offset` (is_offset). Of pointers the id
// names their origin: what one comparison with NULL, or with a packet's end, tells of one is told of all its copies.
// Trivially copyable; maps and BTFs are named by their index in the VerifyInput, so that states can be compared and
// printed. Where a register was read and written is no part of it, but of the state's marks (state.h). Source: struct
// bpf_reg_state's meaning in Linux 6.12. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <cstdint>
#include <string>
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

// What is said of a pointer beside its kind, as bits. Those up to kRcu show in the log, in this order.
using Traits = std::uint16_t;
inline constexpr Traits kReadOnly = 1U << 0, kRingbuf = 1U << 1, kUser = 1U << 2, kPercpu = 1U << 3,
                        kUntrusted = 1U << 4, kTrusted = 1U << 5, kRcu = 1U << 6;
inline constexpr Traits kOrNull = 1U << 7;
inline constexpr Traits kAllocated = 1U << 8;  // by the program: bpf_obj_new and the like
inline constexpr Traits kNonOwning = 1U << 9;  // of an object that a list or tree owns
inline constexpr Traits kUninit = 1U << 10;    // memory not yet written
inline constexpr Traits kNested = 1U << 11;    // inside a kernel object that is trusted

// Kind and traits together, as the log words them: "map_value_or_null", "rcu_ptr_or_null_", "rdonly_mem".
std::string type_name(Kind kind, Traits traits);

// Ranges of packet pointers that were compared and found not to be inside: exactly at the end, or behind it.
inline constexpr std::int32_t kAtPacketEnd = -1, kBeyondPacketEnd = -2;

enum class IterState : std::uint8_t { Invalid, Active, Drained };
// What a dynptr is over. In the log: local, ringbuf, skb, xdp.
enum class DynptrType : std::uint8_t { Invalid, Local, Ringbuf, Skb, Xdp };

struct Register {
  Kind kind = Kind::Unset;
  Traits traits = 0;
  bool is_offset = false;  // the scalar is that of its id, plus `offset`
  std::uint8_t frame = 0;  // of a stack pointer: whose
  union {
    std::uint8_t detail = 0;
    IterState iter_state;  // Iterator
    DynptrType dynptr;     // Dynptr, and the slots a dynptr lies in
  };
  bool first_slot = false;  // of the slots of a dynptr
  std::int32_t offset = 0;
  std::uint32_t id = 0;               // 0: none
  std::uint32_t ref_obj_id = 0;       // of the reference that this pointer is, or was made from; 0: none
  std::uint32_t half_written_by = 0;  // index + 1 of the instruction that defined only its lower half; 0: all of it
  union {
    std::uint32_t word = 0;
    std::int32_t range;         // Packet, PacketMeta: bytes known to be there from the id's start, or kAtPacketEnd...
    std::uint32_t map;          // MapPointer, MapValue, MapKey: index in VerifyInput::maps
    std::uint32_t memory_size;  // Memory, bytes
    std::uint32_t btf_type;     // Btf, Iterator
    std::uint32_t subprog;      // Function
  };
  union {
    std::uint32_t word2 = 0;
    std::uint32_t map_uid;     // which instance of an inner map; 0: not one
    std::uint32_t btf;         // Btf: index in VerifyInput::btfs
    std::uint32_t dynptr_id;   // Memory: the dynptr it is a slice of
    std::uint32_t iter_depth;  // Iterator
  };
  Scalar64 number;  // of a pointer its variable offset

  static Register of(Kind kind, const Scalar64& number) noexcept {
    Register result;
    result.kind = kind;
    result.number = number;
    return result;
  }
  static Register scalar(const Scalar64& number) noexcept { return of(Kind::Scalar, number); }
  static Register unknown() noexcept { return scalar(Scalar64::unknown()); }
  static Register constant(std::uint64_t x) noexcept { return scalar(Scalar64::constant(x)); }
  static Register pointer(Kind kind, Traits traits = 0) noexcept {
    Register result = of(kind, Scalar64::constant(0));
    result.traits = traits;
    return result;
  }

  bool is(Traits which) const noexcept { return (traits & which) != 0; }  // any of them
  bool is_scalar() const noexcept { return kind == Kind::Scalar; }
  bool is_pointer() const noexcept { return kind != Kind::Scalar && kind != Kind::Unset; }
  // Into the packet, or the bytes before it; its end is none.
  bool is_packet() const noexcept { return kind == Kind::Packet || kind == Kind::PacketMeta; }
  bool is_constant() const noexcept { return is_scalar() && number.is_constant(); }
  bool is_constant(std::uint64_t x) const noexcept { return is_constant() && number.value() == x; }
  bool may_be_null() const noexcept { return is(kOrNull); }
  bool is_zero() const noexcept { return is_constant(0); }
  // Its variable part is none.
  bool is_fixed() const noexcept { return number.is_constant() && number.value() == 0; }
  // No longer the number of its id.
  void unlink() noexcept { id = 0, offset = 0, is_offset = false; }
  std::string type_name() const { return verifier::type_name(kind, traits); }
};
static_assert(sizeof(Register) <= 104);

}  // namespace skep::verifier
