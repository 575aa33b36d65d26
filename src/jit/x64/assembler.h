// The instructions that compiled programs consist of, as typed functions that write their bytes.
//
// No more of x86-64 than is used. A function writes one instruction in its shortest encoding for the operands; widths
// are 32 and 64 bits unless it says otherwise, and a 32-bit result clears the upper half of its register, as in BPF.
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2. Tested by: jit/x64/assembler_test.cc.
#pragma once

#include <cstdint>
#include <limits>
#include <utility>

#include "jit/x64/code_buffer.h"

namespace skep::jit::x64 {

enum class Reg : std::uint8_t { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 };

enum class Width : std::uint8_t { W8, W16, W32, W64 };
constexpr Width width_of(unsigned bits) noexcept {
  return bits == 8 ? Width::W8 : bits == 16 ? Width::W16 : bits == 32 ? Width::W32 : Width::W64;
}

// Numbers of the operations in their opcodes.
enum class Alu : std::uint8_t { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp };
enum class Shift : std::uint8_t { Rol, Ror, Shl = 4, Shr, Sar = 7 };
enum class Unary : std::uint8_t { Not = 2, Neg, Mul, Imul, Div, Idiv };

struct Mem {
  Reg base;
  std::int32_t offset;
};
struct Indexed {
  Reg base, index;
  std::uint8_t scale;  // log2
  std::int32_t offset;
};

constexpr bool fits_s8(std::int64_t value) noexcept {
  return value >= std::numeric_limits<std::int8_t>::min() && value <= std::numeric_limits<std::int8_t>::max();
}
constexpr bool fits_s32(std::int64_t value) noexcept {
  return value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max();
}

class Assembler : public CodeBuffer {
 public:
  using CodeBuffer::CodeBuffer;

  // ---- moves
  void mov(Width width, Reg to, Reg from) noexcept { reg_reg(width, 0x89, from, to); }
  void mov(Reg to, std::uint64_t number) noexcept {
    if (number == 0) return alu(Alu::Xor, Width::W32, to, to);  // flags are nobody's between BPF instructions
    mov_keeping_flags(to, number);
  }
  void mov_keeping_flags(Reg to, std::uint64_t number) noexcept {
    if (number <= std::numeric_limits<std::uint32_t>::max()) {
      rex_if(false, 0, 0, high(to));
      byte(0xb8U + low(to));
      value(static_cast<std::uint32_t>(number));
    } else if (fits_s32(static_cast<std::int64_t>(number))) {
      rex(true, 0, 0, high(to));
      byte(0xc7);
      modrm(3, 0, low(to));
      value(static_cast<std::uint32_t>(number));
    } else {
      rex(true, 0, 0, high(to));
      byte(0xb8U + low(to));
      value(number);
    }
  }
  void xchg(Width width, Reg a, Reg b) noexcept { reg_reg(width, 0x87, a, b); }
  void cmov(Condition when, Width width, Reg to, Reg from) noexcept {
    reg_reg2(width, 0x40U + static_cast<unsigned>(when), to, from);
  }
  // The low byte becomes 1 or 0.
  void set(Condition when, Reg to) noexcept {
    rex_if(false, 0, 0, high(to), needs_rex(to));
    byte(0x0f);
    byte(0x90U + static_cast<unsigned>(when));
    modrm(3, 0, low(to));
  }
  // Of the low 8 or 16 bits.
  void movzx(Width from_width, Reg to, Reg from) noexcept {
    rex_if(false, high(to), 0, high(from), from_width == Width::W8 && needs_rex(from));
    byte(0x0f);
    byte(from_width == Width::W8 ? 0xb6 : 0xb7);
    modrm(3, low(to), low(from));
  }
  // Of the low 8, 16 or 32 bits, to `width`.
  void movsx(Width from_width, Width width, Reg to, Reg from) noexcept {
    rex_if(width == Width::W64, high(to), 0, high(from), from_width == Width::W8 && needs_rex(from));
    if (from_width == Width::W32) {
      byte(0x63);
    } else {
      byte(0x0f);
      byte(from_width == Width::W8 ? 0xbe : 0xbf);
    }
    modrm(3, low(to), low(from));
  }
  template <class Address>
  void lea(Width width, Reg to, Address from) noexcept {
    memory(width, 0x8d, to, from);
  }
  void lea(Reg to, Label from) {
    rex(true, high(to), 0, 0);
    byte(0x8d);
    modrm(0, low(to), 5);
    distance(from);
  }

  // ---- memory
  template <class Address>
  void load(Width width, Reg to, Address from) noexcept {  // the rest of the register becomes zero
    if (width == Width::W8 || width == Width::W16) {
      rex_of(false, to, from, false);
      byte(0x0f);
      byte(width == Width::W8 ? 0xb6 : 0xb7);
      operand(low(to), from);
    } else {
      memory(width, 0x8b, to, from);
    }
  }
  void load_rax(std::uint64_t address) noexcept {  // all of it, from anywhere
    byte(0x48);
    byte(0xa1);
    value(address);
  }
  void load_of_thread(Width width, Reg to, std::int32_t offset) noexcept {  // from its pointer, which fs is
    byte(0x64);
    rex_if(width == Width::W64, high(to), 0, 0);
    byte(0x8b);
    modrm(0, low(to), 4);
    byte(0x25);
    value(offset);
  }
  template <class Address>
  void load_signed(Width width, Reg to, Address from) noexcept {  // to 64 bits; width is 8, 16 or 32
    rex_of(true, to, from, false);
    if (width == Width::W32) {
      byte(0x63);
    } else {
      byte(0x0f);
      byte(width == Width::W8 ? 0xbe : 0xbf);
    }
    operand(low(to), from);
  }
  template <class Address>
  void store(Width width, Address to, Reg from) noexcept {
    sized(width, 0x88, from, to);
  }
  template <class Address>
  void store(Width width, Address to, std::int32_t number) noexcept {
    if (width == Width::W16) byte(0x66);
    rex_of(width == Width::W64, Reg::Rax, to, false);
    byte(width == Width::W8 ? 0xc6 : 0xc7);
    operand(0, to);
    immediate(width, number);
  }
  void movbe_load(Width width, Reg to, Mem from) noexcept { three_byte(width, 0xf0, to, from); }
  void movbe_store(Width width, Mem to, Reg from) noexcept { three_byte(width, 0xf1, from, to); }

  // ---- arithmetic
  void alu(Alu op, Width width, Reg to, Reg from) noexcept {
    reg_reg(width, 8U * std::to_underlying(op) + 1, from, to);
  }
  void alu(Alu op, Width width, Reg to, std::int32_t number) noexcept {
    rex_if(width == Width::W64, 0, 0, high(to));
    byte(fits_s8(number) ? 0x83 : 0x81);
    modrm(3, std::to_underlying(op), low(to));
    if (fits_s8(number))
      byte(static_cast<std::uint8_t>(number));
    else
      value(number);
  }
  void alu(Alu op, Width width, Mem to, std::int32_t number) noexcept {
    if (width == Width::W16) byte(0x66);
    rex_of(width == Width::W64, Reg::Rax, to, false);
    const bool is_short = width != Width::W8 && fits_s8(number);
    byte(width == Width::W8 ? 0x80 : is_short ? 0x83 : 0x81);
    operand(std::to_underlying(op), to);
    if (is_short)
      byte(static_cast<std::uint8_t>(number));
    else
      immediate(width, number);
  }
  void alu(Alu op, Width width, Mem to, Reg from) noexcept { memory(width, 8U * std::to_underlying(op) + 1, from, to); }
  void alu(Alu op, Width width, Reg to, Mem from) noexcept { memory(width, 8U * std::to_underlying(op) + 3, to, from); }
  void test(Width width, Reg a, Reg b) noexcept { reg_reg(width, 0x85, b, a); }
  void test(Width width, Reg a, std::int32_t number) noexcept {
    if (number >= 0 && number < 128 && !needs_rex(a)) width = Width::W8;  // the sign flag is not asked for
    rex_if(width == Width::W64, 0, 0, high(a));
    byte(width == Width::W8 ? 0xf6 : 0xf7);
    modrm(3, 0, low(a));
    immediate(width, number);
  }
  void imul(Width width, Reg to, Reg from) noexcept { reg_reg2(width, 0xaf, to, from); }
  void imul(Width width, Reg to, Mem from) noexcept { memory2(width, 0xaf, to, from); }
  void imul(Width width, Reg to, Reg from, std::int32_t number) noexcept {
    rex_if(width == Width::W64, high(to), 0, high(from));
    byte(fits_s8(number) ? 0x6b : 0x69);
    modrm(3, low(to), low(from));
    if (fits_s8(number))
      byte(static_cast<std::uint8_t>(number));
    else
      value(number);
  }
  void unary(Unary op, Width width, Reg reg) noexcept {
    rex_if(width == Width::W64, 0, 0, high(reg));
    byte(0xf7);
    modrm(3, std::to_underlying(op), low(reg));
  }
  // rdx becomes the sign of rax.
  void sign_to_rdx(Width width) noexcept {
    if (width == Width::W64) byte(0x48);
    byte(0x99);
  }
  void shift(Shift op, Width width, Reg reg, std::uint8_t by) noexcept {
    if (width == Width::W16) byte(0x66);
    rex_if(width == Width::W64, 0, 0, high(reg));
    byte(by == 1 ? 0xd1 : 0xc1);
    modrm(3, std::to_underlying(op), low(reg));
    if (by != 1) byte(by);
  }
  void shift_by_cl(Shift op, Width width, Reg reg) noexcept {
    rex_if(width == Width::W64, 0, 0, high(reg));
    byte(0xd3);
    modrm(3, std::to_underlying(op), low(reg));
  }
  // BMI2: Shl, Shr or Sar of any register by any other.
  void shift(Shift op, Width width, Reg to, Reg from, Reg by) noexcept {
    const unsigned prefix = op == Shift::Shl ? 1 : op == Shift::Sar ? 2 : 3;
    vex(2, prefix, width, to, by, from);
    byte(0xf7);
    modrm(3, low(to), low(from));
  }
  void rorx(Width width, Reg to, Reg from, std::uint8_t by) noexcept {  // BMI2
    vex(3, 3, width, to, Reg::Rax, from);
    byte(0xf0);
    modrm(3, low(to), low(from));
    byte(by);
  }
  void mulx(Width width, Reg upper, Reg lower, Reg by_rdx) noexcept {  // BMI2: rdx times `by_rdx`
    vex(2, 3, width, upper, lower, by_rdx);
    byte(0xf6);
    modrm(3, low(upper), low(by_rdx));
  }
  void andn(Width width, Reg to, Reg inverted, Reg other) noexcept {  // BMI1
    vex(2, 0, width, to, inverted, other);
    byte(0xf2);
    modrm(3, low(to), low(other));
  }
  // tzcnt, which processors without BMI1 take for bsf: the same where `from` is not 0.
  void trailing_zeros(Width width, Reg to, Reg from) noexcept {
    byte(0xf3);
    reg_reg2(width, 0xbc, to, from);
  }
  void bswap(Width width, Reg reg) noexcept {
    rex_if(width == Width::W64, 0, 0, high(reg));
    byte(0x0f);
    byte(0xc8U + low(reg));
  }

  // ---- atomics: the prefix, and what it is put before
  void lock() noexcept { byte(0xf0); }
  void xadd(Width width, Mem at, Reg reg) noexcept { memory2(width, 0xc1, reg, at); }
  void cmpxchg(Width width, Mem at, Reg reg) noexcept { memory2(width, 0xb1, reg, at); }
  void xchg(Width width, Mem at, Reg reg) noexcept { memory(width, 0x87, reg, at); }

  // ---- control
  void push(Reg reg) noexcept {
    rex_if(false, 0, 0, high(reg));
    byte(0x50U + low(reg));
  }
  void pop(Reg reg) noexcept {
    rex_if(false, 0, 0, high(reg));
    byte(0x58U + low(reg));
  }
  void leave() noexcept { byte(0xc9); }
  void ret() noexcept { byte(0xc3); }
  using CodeBuffer::call;
  using CodeBuffer::jump;
  void call(Reg to) noexcept {
    rex_if(false, 0, 0, high(to));
    byte(0xff);
    modrm(3, 2, low(to));
  }
  void jump(Reg to) noexcept {
    rex_if(false, 0, 0, high(to));
    byte(0xff);
    modrm(3, 4, low(to));
  }
  template <class Address>
  void jump(Address to) noexcept {
    rex_of(false, Reg::Rax, to, false);
    byte(0xff);
    operand(4, to);
  }
  // Before an indirect jump: it may land where no endbr is, with CET.
  void notrack() noexcept { byte(0x3e); }
  void lfence() noexcept {  // nothing behind it begins before everything before it has ended
    byte(0x0f);
    byte(0xae);
    byte(0xe8);
  }
  void pause() noexcept {
    byte(0xf3);
    byte(0x90);
  }
  void endbr() noexcept { value(std::uint32_t{0xfa1e0ff3}); }  // where indirect jumps may land, with CET
  void trap() noexcept {
    byte(0x0f);
    byte(0x0b);
  }

 private:
  static constexpr unsigned low(Reg reg) noexcept { return std::to_underlying(reg) & 7U; }
  static constexpr unsigned high(Reg reg) noexcept { return std::to_underlying(reg) >> 3U; }
  // Whose low byte has a name only with a REX prefix.
  static constexpr bool needs_rex(Reg reg) noexcept { return std::to_underlying(reg) >= 4; }

  void rex(bool wide, unsigned reg, unsigned index, unsigned base) noexcept {
    byte(0x40U | (wide ? 8U : 0U) | reg << 2U | index << 1U | base);
  }
  void rex_if(bool wide, unsigned reg, unsigned index, unsigned base, bool always = false) noexcept {
    if (wide || reg || index || base || always) rex(wide, reg, index, base);
  }
  void rex_of(bool wide, Reg reg, Mem at, bool always) noexcept { rex_if(wide, high(reg), 0, high(at.base), always); }
  void rex_of(bool wide, Reg reg, Indexed at, bool always) noexcept {
    rex_if(wide, high(reg), high(at.index), high(at.base), always);
  }
  void vex(unsigned map, unsigned prefix, Width width, Reg reg, Reg extra, Reg rm) noexcept {
    byte(0xc4);
    byte((high(reg) ? 0U : 0x80U) | 0x40U | (high(rm) ? 0U : 0x20U) | map);
    byte((width == Width::W64 ? 0x80U : 0U) | (~std::to_underlying(extra) & 0xfU) << 3U | prefix);
  }
  void modrm(unsigned mode, unsigned reg, unsigned rm) noexcept { byte(mode << 6U | reg << 3U | rm); }

  void operand(unsigned reg, Mem at) noexcept {
    const unsigned mode = mode_of(at.base, at.offset);
    modrm(mode, reg, low(at.base));
    if (low(at.base) == 4) byte(0x24);
    displacement(mode, at.offset);
  }
  void operand(unsigned reg, Indexed at) noexcept {
    const unsigned mode = mode_of(at.base, at.offset);
    modrm(mode, reg, 4);
    byte(unsigned{at.scale} << 6U | low(at.index) << 3U | low(at.base));
    displacement(mode, at.offset);
  }
  static unsigned mode_of(Reg base, std::int32_t offset) noexcept {
    if (offset == 0 && low(base) != 5) return 0;
    return fits_s8(offset) ? 1 : 2;
  }
  void displacement(unsigned mode, std::int32_t offset) noexcept {
    if (mode == 1) byte(static_cast<std::uint8_t>(offset));
    if (mode == 2) value(offset);
  }
  void immediate(Width width, std::int32_t number) noexcept {
    if (width == Width::W8) return byte(static_cast<std::uint8_t>(number));
    if (width == Width::W16) return value(static_cast<std::uint16_t>(number));
    value(number);
  }

  void reg_reg(Width width, unsigned opcode, Reg reg, Reg rm) noexcept {
    rex_if(width == Width::W64, high(reg), 0, high(rm));
    byte(opcode);
    modrm(3, low(reg), low(rm));
  }
  void reg_reg2(Width width, unsigned opcode, Reg reg, Reg rm) noexcept {  // of the 0f page
    rex_if(width == Width::W64, high(reg), 0, high(rm));
    byte(0x0f);
    byte(opcode);
    modrm(3, low(reg), low(rm));
  }
  template <class Address>
  void memory(Width width, unsigned opcode, Reg reg, Address at) noexcept {
    rex_of(width == Width::W64, reg, at, false);
    byte(opcode);
    operand(low(reg), at);
  }
  template <class Address>
  void memory2(Width width, unsigned opcode, Reg reg, Address at) noexcept {  // of the 0f page
    rex_of(width == Width::W64, reg, at, false);
    byte(0x0f);
    byte(opcode);
    operand(low(reg), at);
  }
  // Of any width; the opcode is that for bytes.
  template <class Address>
  void sized(Width width, unsigned opcode, Reg reg, Address at) noexcept {
    if (width == Width::W16) byte(0x66);
    rex_of(width == Width::W64, reg, at, width == Width::W8 && needs_rex(reg));
    byte(width == Width::W8 ? opcode : opcode + 1);
    operand(low(reg), at);
  }
  void three_byte(Width width, unsigned opcode, Reg reg, Mem at) noexcept {  // of the 0f 38 page
    if (width == Width::W16) byte(0x66);
    rex_of(width == Width::W64, reg, at, false);
    byte(0x0f);
    byte(0x38);
    byte(opcode);
    operand(low(reg), at);
  }
};

}  // namespace skep::jit::x64
