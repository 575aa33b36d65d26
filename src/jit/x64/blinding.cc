// Constants of a program that must not stand in its code as they are.
//
// Whoever writes a program chooses its immediates, and with them bytes of executable memory: jumped into sideways, they
// would be instructions of the author's. With blinding, every constant is put together from two numbers at run time, of
// which one is random, and each of its bytes differs from the author's. Offsets of memory accesses and jumps stay: 16
// bits, and no more in Linux. A constant costs two instructions and a register more; nothing is fused.
#include "jit/x64/compiler.h"

namespace skep::jit::x64 {

// SplitMix64; no byte is 0, which would leave the author's as it was.
std::uint64_t Compiler::key() noexcept {
  std::uint64_t x = key_state_ += 0x9e37'79b9'7f4a'7c15;
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11eb;
  x ^= x >> 31;
  for (unsigned bit = 0; bit < 64; bit += 8)
    if ((x >> bit & 0xffU) == 0) x |= std::uint64_t{0xa5} << bit;
  return x;
}

// to = value. With blinding, changes flags and one of the first two scratch registers.
void Compiler::load_number(Reg to, std::uint64_t value) {
  if (!blinds()) return a_.mov(to, value);
  const auto whole = static_cast<std::int64_t>(value);
  const std::uint64_t by = key();
  if (fits_s32(whole)) {  // the sign of one number times that of the other
    const auto low = static_cast<std::int32_t>(by);
    a_.mov(to, static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(whole) ^ low}));
    return a_.alu(Alu::Xor, Width::W64, to, low);
  }
  const Reg other = to == kScratch ? kScratch2 : kScratch;
  a_.mov(to, value ^ by);
  a_.mov(other, by);
  a_.alu(Alu::Xor, Width::W64, to, other);
}

// The constant operand of an instruction; with blinding, in `room`.
Compiler::Source Compiler::constant(const At& at, Reg room) {
  if (!blinds()) return source(at, false);
  load_number(room, static_cast<std::uint64_t>(std::int64_t{at.insn.imm}));
  return {true, room, 0};
}

}  // namespace skep::jit::x64
