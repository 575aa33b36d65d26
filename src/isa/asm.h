// Text to instructions: the form that isa/disasm.h prints, which is that of `bpftool prog dump xlated` and of the
// verifier's log; and the mnemonics of the ubpf family, which the conformance vectors are written in.
//
//   Syntax::Kernel                          Syntax::Mnemonic
//     int prog(struct xdp_md * ctx):          mov %r0, 1           # comment
//     ; comment, also behind an instruction   ldxw %r2, [%r1+76]
//        0: (61) r2 = *(u32 *)(r1 +76)        jeq %r2, 5, done
//     if r2 == 5 goto done                    lddw %r3, 0x1122334455667788
//     r1 = map[counters]                      lock fetch add [%r10-8], %r2
//     r3 = 0x1122334455667788               done:
//     call bpf_map_lookup_elem#1              exit
//   done: exit
//
// Index, code byte and lines of hex bytes may be there or not; an index must be the instruction's own, and a code byte
// decides between forms that look alike. `r1 = N` is a mov if N fits 32 bits with its sign, else (or with the suffix
// ll) a 64-bit immediate. Targets are distances (pc+3) or labels. `call NAME` is a subprogram if the text has that
// label, else a helper, else a kfunc; `call NAME#N` is helper N and `call kfunc NAME#N` kfunc N whatever the name.
// `.insn code, dst, src, off, imm` is any slot at all. Registers go to r15, so that illegal programs can be written.
//
// Lines are matched against the text column of opcodes.def, so each form is declared once. Total: any bytes give
// either a program or an error. Cost: some microseconds a line. Tested by: isa/asm_test.cc, fuzz/asm_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "isa/insn.h"

namespace skep::isa {

// What the assembler asks its caller. Nothing is known by default.
class Symbols {
 public:
  virtual ~Symbols() = default;
  virtual std::optional<std::int32_t> helper(std::string_view name) const;  // id, of "bpf_map_lookup_elem"
  virtual std::optional<std::int32_t> kfunc(std::string_view name) const;   // BTF id
};
const Symbols& no_symbols() noexcept;

// A place in a 64-bit immediate that only the caller can fill: which map, or which variable of a BTF.
struct Reference {
  enum class Kind : std::uint8_t {
    MapName,   // map[counters]: name; the instruction's imm is 0
    MapFd,     // map[fd:3]: imm holds the number
    MapId,     // map[id:3]: imm holds the number
    MapIndex,  // map[idx:0]: imm holds the index into fd_array
    BtfName,   // btf[jiffies]: name; imm is 0
  };
  Kind kind;
  std::size_t insn;  // index of the first slot
  std::string name;  // of MapName and BtfName
};

struct Label {
  std::string name;
  std::size_t insn;
};

struct Assembly {
  std::vector<Insn> insns;
  std::vector<std::size_t> lines;  // for each slot the line it comes from, from 1
  std::vector<Reference> references;
  std::vector<Label> labels;  // subprogram headers and labels, in order
};

enum class Syntax : std::uint8_t { Kernel, Mnemonic };

// The program `text` describes. Errors are EINVAL: "line 3: found "u33", expected "u8", "u16", ...".
Result<Assembly> assemble(std::string_view text, const Symbols& symbols = no_symbols(), Syntax syntax = Syntax::Kernel);

}  // namespace skep::isa
