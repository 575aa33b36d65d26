#include "verifier/step/print_insn.h"

#include <fmt/format.h>

#include "isa/disasm.h"
#include "spec/helpers.h"

namespace skep::verifier {
namespace {

class Names : public isa::Names {
 public:
  explicit Names(const Walk& walk) : walk_(walk) {}

  std::string helper(std::int32_t id) const override {
    const spec::Helper* found = spec::find_helper(static_cast<std::uint32_t>(id));
    return found == nullptr ? "" : fmt::format("bpf_{}", found->name);
  }
  std::string kfunc(std::int32_t btf_id, std::int16_t fd_index) const override {
    return fd_index != 0 ? "" : walk_.names.btf_type(spec::kKernelBtf, static_cast<std::uint32_t>(btf_id));
  }

 private:
  const Walk& walk_;
};

}  // namespace

std::string text_of(const Walk& walk, std::size_t index) {
  constexpr std::uint8_t kLoadImm64 = 0x18, kFunction = 4;
  const isa::Insn& insn = walk.input.insns[index];
  if (insn.code == kLoadImm64 && insn.src == kFunction)  // Linux shows how far off the function is
    return fmt::format("({:02x}) r{} = {:#x}", insn.code, unsigned{insn.dst}, static_cast<std::uint32_t>(insn.imm));
  return fmt::format("({:02x}) {}", walk.input.insns[index].code, isa::to_text(walk.input.insns, index, Names(walk)));
}

}  // namespace skep::verifier
