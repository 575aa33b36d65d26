// What instructions compute, as pure functions of values: arithmetic, conditions, atomics.
//
// The tables alu.def, jump.def and atomic.def are expanded here once; the interpreter, constant folding, the
// verifier's tests and every engine's oracle call these. Values travel as u64: inputs are reduced to Bits
// bits first, results are below 2^Bits, so a 32-bit operation zero-extends as RFC 9669 section 4.1 asks.
// Bits is 32 or 64 for instructions; any other 1..64 serves exhaustive tests of abstract domains. Everything is
// total: division by zero gives 0, modulo zero the dividend, the most negative number divided by -1 itself.
// With a constant operation each call folds to the bare expression. No state. Tested by: isa/eval_test.cc.
#pragma once

#include <bit>
#include <cstdint>

namespace skep::isa {

enum class AluOp : std::uint8_t {
#define ALU(name, ...) name,
#define MOVSX(name, ...) name,
#define MOVSX64(name, ...) name,
#define NEGATE(name, ...) name,
#define ENDIAN(name, ...) name,
#include "isa/alu.def"
};

enum class JumpOp : std::uint8_t {
#define JUMP(name, ...) name,
#include "isa/jump.def"
};

enum class AtomicOp : std::uint8_t {
#define ATOMIC(name, ...) name,
#define XCHG(name, ...) name,
#define CMPXCHG(name, ...) name,
#include "isa/atomic.def"
};

// The low N bits of x, as an unsigned and as a signed number.
template <unsigned N>
constexpr std::uint64_t zext(std::uint64_t x) noexcept {
  static_assert(N >= 1 && N <= 64);
  return x & (~std::uint64_t{0} >> (64 - N));
}
template <unsigned N>
constexpr std::int64_t sext(std::uint64_t x) noexcept {
  static_assert(N >= 1 && N <= 64);
  return static_cast<std::int64_t>(x << (64 - N)) >> (64 - N);
}
constexpr std::uint64_t unsigned_of(std::int64_t x) noexcept { return static_cast<std::uint64_t>(x); }

// The low N bits of x with their bytes reversed, or put in little or big endian order, as memory would hold them.
template <unsigned N>
constexpr std::uint64_t swapped(std::uint64_t x) noexcept {
  std::uint64_t result = 0;
  for (unsigned at = 0; at < N; at += 8) result |= (x >> at & 0xff) << (N - 8 - at);
  return result;
}
template <unsigned N>
constexpr std::uint64_t little(std::uint64_t x) noexcept {
  return std::endian::native == std::endian::little ? zext<N>(x) : swapped<N>(x);
}
template <unsigned N>
constexpr std::uint64_t big(std::uint64_t x) noexcept {
  return std::endian::native == std::endian::little ? swapped<N>(x) : zext<N>(x);
}

// What `op` leaves in the destination, given destination d and source s (register, or sign-extended immediate).
template <unsigned Bits>
[[gnu::always_inline]] constexpr std::uint64_t eval(AluOp op, std::uint64_t d, std::uint64_t s) noexcept {
  d = zext<Bits>(d);
  s = zext<Bits>(s);
  switch (op) {
#define ALU(name, text, code, off, shape, group, value) \
  case AluOp::name: return zext<Bits>(value);
#define MOVSX(name, from, off, value) \
  case AluOp::name: return zext<Bits>(value);
#define MOVSX64(name, from, off, value) \
  case AluOp::name: return zext<Bits>(value);
#define NEGATE(name, code, value) \
  case AluOp::name: return zext<Bits>(value);
#define ENDIAN(name, text, code, bits, value) \
  case AluOp::name: return zext<Bits>(value);
#include "isa/alu.def"
  }
  return 0;
}

// Whether the jump is taken, given destination a and source b (register, or sign-extended immediate).
template <unsigned Bits>
[[gnu::always_inline]] constexpr bool holds(JumpOp op, std::uint64_t a, std::uint64_t b) noexcept {
  a = zext<Bits>(a);
  b = zext<Bits>(b);
  switch (op) {
#define JUMP(name, text, code, condition) \
  case JumpOp::name: return condition;
#include "isa/jump.def"
  }
  return false;
}

// What memory holds after the atomic operation, given d, what it held before, the source register and r0.
template <unsigned Bits>
[[gnu::always_inline]] constexpr std::uint64_t eval(AtomicOp op, std::uint64_t d, std::uint64_t s,
                                                    std::uint64_t r0) noexcept {
  d = zext<Bits>(d);
  s = zext<Bits>(s);
  r0 = zext<Bits>(r0);
  switch (op) {
#define ATOMIC(name, text, fetch, imm, value) \
  case AtomicOp::name: return zext<Bits>(value);
#define XCHG(name, text, imm, value) \
  case AtomicOp::name: return zext<Bits>(value);
#define CMPXCHG(name, text, imm, value) \
  case AtomicOp::name: return zext<Bits>(value);
#include "isa/atomic.def"
  }
  return 0;
}

}  // namespace skep::isa
