#include "jit/unwind.h"

#include <algorithm>
#include <array>

#include "jit/dwarf_writer.h"

namespace skep::jit {
namespace {

using Step = x64::FrameStep;

enum Op : std::uint8_t {  // DW_CFA_*
  kAdvance = 0x40,
  kOffset = 0x80,
  kRestore = 0xc0,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kRemember = 0x0a,
  kRestoreState = 0x0b,
  kDefCfa = 0x0c,
  kDefCfaRegister = 0x0d,
  kDefCfaOffset = 0x0e,
};
enum Encoding : std::uint8_t { kAbsolute = 0x00, kRelative4 = 0x1b };  // DW_EH_PE_absptr, pcrel | sdata4

constexpr std::uint32_t kWord = 8;
constexpr std::uint8_t kReturnAddress = 16;
constexpr std::uint8_t kRsp = 7, kRbp = 6;
// DWARF's numbers of the processor's registers.
constexpr std::array<std::uint8_t, 16> kDwarf = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};

// The rules of one function, step by step.
class Rules {
 public:
  Rules(DwarfWriter& to, std::uint32_t start) : to_(to), at_(start) {}

  void take(const Step& step) {
    advance(step.offset);
    switch (step.kind) {
      case Step::Kind::Push:
        now_.depth += kWord;
        follow_stack();
        to_.u8(kOffset | unsigned{kDwarf[step.reg]});
        to_.uleb(now_.depth / kWord);
        break;
      case Step::Kind::Pop:
        now_.depth -= kWord;
        if (kDwarf[step.reg] == kRbp && now_.linked) {
          unlink();
        } else {
          follow_stack();
          to_.u8(kRestore | unsigned{kDwarf[step.reg]});
        }
        break;
      case Step::Kind::Grow:
        now_.depth += step.bytes;
        follow_stack();
        break;
      case Step::Kind::Link:
        now_.linked = true;
        to_.u8(kDefCfaRegister);
        to_.uleb(kRbp);
        break;
      case Step::Kind::Leave: unlink(); break;
      case Step::Kind::Epilogue:
        whole_ = now_;
        to_.u8(kRemember);
        break;
      case Step::Kind::Resume:
        now_ = whole_;
        to_.u8(kRestoreState);
        break;
    }
  }

 private:
  struct State {
    std::uint32_t depth = kWord;  // of the stack pointer below the frame's address: the return address
    bool linked = false;          // by rbp
  };

  void advance(std::uint32_t to) {
    const std::uint32_t by = to - at_;
    at_ = to;
    if (by == 0) return;
    if (by < 0x40) return to_.u8(kAdvance | by);
    if (by <= 0xff) return to_.u8(kAdvance1), to_.u8(by);
    if (by <= 0xffff) return to_.u8(kAdvance2), to_.u16(by);
    to_.u8(kAdvance4);
    to_.u32(by);
  }
  void follow_stack() {
    if (now_.linked) return;
    to_.u8(kDefCfaOffset);
    to_.uleb(now_.depth);
  }
  void unlink() {
    now_ = {};
    to_.u8(kDefCfa);
    to_.uleb(kRsp);
    to_.uleb(kWord);
    to_.u8(kRestore | kRbp);
  }

  DwarfWriter& to_;
  std::uint32_t at_;
  State now_, whole_;
};

class Table {
 public:
  Table(const Portrait& portrait, std::uint32_t base, Addressing addressing)
      : portrait_(portrait), base_(base), addressing_(addressing) {}

  std::vector<std::byte> make(std::size_t first, std::size_t last) {
    common();
    for (std::size_t i = first; i < last; ++i) function(portrait_.functions[i]);
    to_.u32(0);
    return to_.take();
  }

 private:
  void common() {
    const std::size_t begun = to_.begin();
    to_.u32(0);  // a CIE
    to_.u8(1);   // version
    to_.text("zR");
    to_.uleb(1);                     // code alignment
    to_.sleb(-std::int64_t{kWord});  // data alignment
    to_.u8(kReturnAddress);
    to_.uleb(1);
    to_.u8(addressing_.kind == Addressing::Kind::Absolute ? kAbsolute : kRelative4);
    to_.u8(kDefCfa);
    to_.uleb(kRsp);
    to_.uleb(kWord);
    to_.u8(kOffset | kReturnAddress);
    to_.uleb(1);
    to_.align(kWord);  // DW_CFA_nop
    to_.end(begun);
  }

  void function(const Portrait::Function& function) {
    const std::size_t begun = to_.begin();
    to_.u32(begun);  // back to the CIE, which is first
    if (addressing_.kind == Addressing::Kind::Absolute) {
      to_.u64(portrait_.address(function.offset));
      to_.u64(function.bytes);
    } else {
      const std::int64_t here = addressing_.table_behind_code + static_cast<std::int64_t>(to_.size());
      to_.u32(static_cast<std::uint64_t>(std::int64_t{function.offset - base_} - here));
      to_.u32(function.bytes);
    }
    to_.uleb(0);  // no augmentation
    Rules rules(to_, function.offset);
    const auto& steps = portrait_.layout.frames;
    // Behind an instruction at the very end of a function is none of it.
    for (auto step = std::ranges::upper_bound(steps, function.offset, {}, &Step::offset);
         step != steps.end() && step->offset < function.offset + function.bytes; ++step)
      rules.take(*step);
    to_.align(kWord);
    to_.end(begun);
  }

  const Portrait& portrait_;
  std::uint32_t base_;
  Addressing addressing_;
  DwarfWriter to_;
};

}  // namespace

std::vector<std::byte> unwind_table(const Portrait& portrait, std::size_t first, std::size_t last,
                                    Addressing addressing) {
  if (first >= last) return {};
  return Table(portrait, portrait.functions[first].offset, addressing).make(first, last);
}

}  // namespace skep::jit
