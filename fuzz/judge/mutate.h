// Programs that somebody wrote, and small changes of them: another operation of the same form, another register, offset
// or immediate, an instruction less, twice or elsewhere.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "isa/asm.h"
#include "judge/program.h"

namespace skep::judge {

struct RealProgram {
  spec::ProgType type;
  spec::AttachType attach;
  std::string_view text;
};
const std::vector<RealProgram>& real_programs();
Result<Program> read(const RealProgram& program, const isa::Symbols& symbols);

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(static_cast<std::uint32_t>(seed * 0x9e3779b1U + 7)) {}
  std::size_t pick(std::size_t below) { return random_() % below; }
  void mutate(Program& program);

 private:
  void change(Program& program);
  void operation(isa::Insn& insn);
  void number(isa::Insn& insn);
  std::uint8_t nearby_register(const Program& program, std::size_t index);

  std::mt19937 random_;
};

}  // namespace skep::judge
