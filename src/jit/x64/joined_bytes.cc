// Numbers that a program puts together from bytes, found so that they are loaded at once.
//
// Compilers load what they know no alignment of byte by byte, and BPF has no alignment for packets: a field of a header
// is up to eight loads, shifts and ors. This pass follows, through straight code, registers that hold bytes of memory
// at known places; where an or completes a number of 2, 4 or 8 neighbouring bytes in either order, the or becomes that
// load, and what led to it is dead unless somebody else asks for it.
#include <algorithm>
#include <array>
#include <bit>

#include "jit/x64/survey.h"

namespace skep::jit::x64 {
namespace {

using isa::AluOp;
using isa::Form;
using isa::Insn;
using isa::Op;

// A register's value as bytes of memory, the rest of it zero: byte `from[i]` behind `base` is at bit 8 * i.
struct Bytes {
  static constexpr std::int32_t kNone = 1 << 20;  // this part of the value is zero
  bool known = false;
  std::uint8_t base = 0;
  std::uint32_t version = 0;  // of the base register, and of memory
  std::array<std::int32_t, 8> from{};

  unsigned length() const noexcept {
    unsigned length = 8;
    while (length > 0 && from[length - 1] == kNone) --length;
    return length;
  }
};

class Joiner {
 public:
  Joiner(const exec::Image& image, Survey& survey) : image_(image), survey_(survey) {}

  void look() {
    for (std::uint32_t slot = 0; slot < survey_.ops.size(); ++slot) {
      if (!survey_.at(slot, Survey::kFirst)) continue;
      if (survey_.at(slot, Survey::kTarget | Survey::kEntry)) forget();
      look_at(slot, survey_.ops[slot], image_.insns[slot]);
    }
  }

 private:
  void forget() {
    for (Bytes& bytes : values_) bytes.known = false;
  }

  void look_at(std::uint32_t slot, Op op, const Insn& insn) {
    const Form form = isa::form(op);
    Bytes made;
    if (form == Form::Load && !survey_.at(slot, Survey::kArena)) {
      made = loaded(insn, isa::bits(op) / 8);
    } else if (form == Form::MovReg) {
      if (op == Op::Mov64Reg || (op == Op::Mov32Reg && values_[insn.src].length() <= 4)) made = values_[insn.src];
    } else if (form == Form::AluImm) {
      if (isa::alu_op(op) == AluOp::Lsh) made = shifted(values_[insn.dst], insn.imm, isa::bits(op) / 8);
    } else if (form == Form::AluReg) {
      if (isa::alu_op(op) == AluOp::Or) made = joined(slot, insn, isa::bits(op) / 8);
    } else if (isa::has(op, isa::kWritesMemory | isa::kCalls | isa::kReadsPacket)) {
      forget();
    }
    for (isa::RegisterSet left = survey_.uses[slot].writes; left != 0;
         left &= static_cast<isa::RegisterSet>(left - 1)) {
      const auto reg = static_cast<unsigned>(std::countr_zero(left));
      ++versions_[reg];
      values_[reg].known = false;
      if (reg == insn.dst && made.known) values_[reg] = made;
    }
  }

  Bytes loaded(const Insn& insn, unsigned bytes) const {
    Bytes made{.known = true, .base = insn.src, .version = versions_[insn.src]};
    made.from.fill(Bytes::kNone);
    for (unsigned i = 0; i < bytes; ++i) made.from[i] = insn.off + static_cast<std::int32_t>(i);
    return made;
  }

  static Bytes shifted(Bytes bytes, std::int32_t by, unsigned width) {
    const auto places = static_cast<unsigned>(by) / 8;
    if (!bytes.known || by < 0 || by % 8 != 0 || places == 0 || bytes.length() + places > width) return {};
    std::shift_right(bytes.from.begin(), bytes.from.end(), places);
    std::fill_n(bytes.from.begin(), places, Bytes::kNone);
    return bytes;
  }

  Bytes joined(std::uint32_t slot, const Insn& insn, unsigned width) {
    Bytes sum = values_[insn.dst];
    const Bytes& other = values_[insn.src];
    if (!sum.known || !other.known || insn.dst == insn.src) return {};
    if (sum.base != other.base || sum.version != other.version) return {};
    if (std::max(sum.length(), other.length()) > width) return {};
    for (std::size_t i = 0; i < sum.from.size(); ++i) {
      if (other.from[i] == Bytes::kNone) continue;
      if (sum.from[i] != Bytes::kNone) return {};
      sum.from[i] = other.from[i];
    }
    note(slot, sum);
    return sum;
  }

  // Whether the bytes are a number that one load gives, with its bytes swapped perhaps.
  void note(std::uint32_t slot, const Bytes& bytes) {
    const unsigned length = bytes.length();
    if ((length != 2 && length != 4 && length != 8) || versions_[bytes.base] != bytes.version) return;
    const std::int32_t step = bytes.from[1] - bytes.from[0];
    if (step != 1 && step != -1) return;
    for (unsigned i = 0; i < length; ++i)
      if (bytes.from[i] != bytes.from[0] + step * static_cast<std::int32_t>(i)) return;
    const std::int32_t first = step == 1 ? bytes.from[0] : bytes.from[length - 1];
    survey_.joined.push_back({slot, first, bytes.base, static_cast<std::uint8_t>(length), step == -1});
    survey_.flags[slot] |= Survey::kJoined;
    survey_.uses[slot].reads = static_cast<isa::RegisterSet>(1U << bytes.base);
  }

  const exec::Image& image_;
  Survey& survey_;
  std::array<Bytes, isa::kRegisters> values_{};
  std::array<std::uint32_t, isa::kRegisters> versions_{};
};

}  // namespace

void find_joined_bytes(const exec::Image& image, Survey& survey) { Joiner(image, survey).look(); }

}  // namespace skep::jit::x64
