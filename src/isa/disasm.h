// Instructions as text: the form of `bpftool prog dump xlated` and of the kernel verifier's log.
//
//    int prog(struct xdp_md * ctx):
//    ; if (v) __sync_fetch_and_add(v, 1);
//       9: (15) if r0 == 0x0 goto pc+2
//          15 00 02 00 00 00 00 00
//
// Every form is the text column of opcodes.def, which isa/asm.h reads back. Names of helpers, functions, maps and
// source lines come from the caller (isa knows neither BTF nor helper tables). Total: hostile instructions print
// as something. Text::Kernel is what Linux prints, which hides reserved fields; Text::Source is made to
// be assembled: assemble(disassemble(program)) gives the same bits for any program, by falling back to
// `.insn code, dst, src, off, imm` for what no form can say. Cost: linear, one allocation per name.
// Tested by: isa/disasm_test.cc, isa/asm_test.cc (round trips), fuzz/isa_fuzz.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "isa/insn.h"
#include "isa/op.h"

namespace skep::isa {

// What the printer asks its caller. An empty answer means "not known"; all answers are by default.
class Names {
 public:
  virtual ~Names() = default;
  virtual std::string helper(std::int32_t id) const;                            // "bpf_map_lookup_elem"
  virtual std::string kfunc(std::int32_t btf_id, std::int16_t fd_index) const;  // "bpf_dynptr_size"
  virtual std::string subprog(std::size_t index) const;                         // name of the one that starts there
  virtual std::string prototype(std::size_t index) const;                       // header printed before it, no colon
  virtual std::string map(Op op, const Insn& low) const;                        // between the brackets: "id:4"
  virtual std::string source(std::size_t index) const;                          // line printed before, without "; "
};
const Names& no_names() noexcept;

enum class Text : std::uint8_t { Kernel, Source };
// Loaded: as given to BPF_PROG_LOAD (maps by fd, calls by imm). Translated: as the kernel gives it back (maps
// by id; a subprogram's distance is in off, where it is not zero, its number in imm).
enum class Stage : std::uint8_t { Loaded, Translated };
enum class Show : std::uint8_t { No, Yes };

struct PrintOptions {
  Text text = Text::Kernel;
  Stage stage = Stage::Loaded;
  Show index = Show::Yes;    // "   9: "
  Show code = Show::Yes;     // "(15) "
  Show bytes = Show::No;     // a line of hex below
  unsigned index_width = 4;  // bpftool pads to 4, the verifier's log to none
};

// The text of the instruction at `index` alone: no index, no code, no newline. index < program.size().
std::string to_text(std::span<const Insn> program, std::size_t index, const Names& names = no_names(),
                    const PrintOptions& options = {});

// Appends the instruction at `index` as lines, with its headers, and returns the number of slots it took
// (2 for a 64-bit immediate whose second slot is there).
std::size_t print(std::string& out, std::span<const Insn> program, std::size_t index, const Names& names,
                  const PrintOptions& options);

// The whole program, one line or more an instruction, each ended by a newline.
std::string disassemble(std::span<const Insn> program, const Names& names = no_names(),
                        const PrintOptions& options = {});

}  // namespace skep::isa
