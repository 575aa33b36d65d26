#include "judge/mutate.h"

#include <algorithm>

#include "isa/op.h"
#include "judge/edit.h"
#include "judge/generate.h"
#include "spec/uapi.h"

namespace skep::judge {
namespace {

using enum spec::ProgType;
using spec::AttachType;
constexpr AttachType kPlain = AttachType::CgroupInetIngress;

// The rows of the verifier's tests.
struct Subject {
  const char* title;
  spec::ProgType type;
  const char* program;
  AttachType attach = kPlain;
  std::uint32_t flags = 0;
  const char* license = "GPL";
};
struct Case {
  const char* title;
  const char* program;
};
constexpr Subject kSubjects[] = {
#include "verifier/explore/exit_cases.inc"
#include "verifier/explore/helper_cases.inc"
#include "verifier/explore/kfunc_cases.inc"
#include "verifier/explore/memory_cases.inc"
};
constexpr Case kFilters[] = {
#include "verifier/explore/call_cases.inc"
#include "verifier/explore/verify_cases.inc"
};
constexpr Case kPackets[] = {
#include "verifier/explore/packet_cases.inc"
};

// Compiled programs.
struct Compiled {
  spec::ProgType type;
  const char* text;
};
constexpr Compiled kCompiled[] = {
#include "judge_programs.inc"
};
constexpr std::size_t kCompiledWeight = 12;  // cases are many and short

std::vector<RealProgram> collect() {
  std::vector<RealProgram> all;
  for (const Subject& row : kSubjects)
    if (std::string_view(row.license) == "GPL") all.push_back({row.type, row.attach, row.program});
  for (const Case& row : kFilters) all.push_back({SocketFilter, kPlain, row.program});
  for (const Case& row : kPackets) all.push_back({Xdp, kPlain, row.program});
  for (const Compiled& row : kCompiled)
    for (std::size_t i = 0; i < kCompiledWeight; ++i) all.push_back({row.type, kPlain, row.text});
  return all;
}

}  // namespace

const std::vector<RealProgram>& real_programs() {
  static const std::vector<RealProgram> all = collect();
  return all;
}

Result<Program> read(const RealProgram& program, const isa::Symbols& symbols) {
  auto assembly = isa::assemble(program.text, symbols);
  if (!assembly) return std::unexpected(std::move(assembly.error()));
  auto maps = map_names(*assembly);
  return Program{.type = program.type,
                 .attach = program.attach,
                 .insns = std::move(assembly->insns),
                 .maps = std::move(maps),
                 .functions = {}};
}

void Mutator::mutate(Program& program) {
  constexpr std::size_t kChanges[] = {0, 0, 1, 1, 1, 2, 3};
  for (std::size_t changes = kChanges[pick(std::size(kChanges))]; changes > 0 && program.insns.size() > 1; --changes)
    change(program);
}

// Another operation with the same operands, or now and then any code at all.
void Mutator::operation(isa::Insn& insn) {
  const isa::Op op = isa::decode(insn);
  if (op == isa::Op::Invalid || pick(16) == 0) {
    insn.code = static_cast<std::uint8_t>(random_());
    return;
  }
  for (int tries = 0; tries < 400; ++tries) {
    const auto other = static_cast<isa::Op>(1 + pick(isa::kOps - 1));
    if (isa::form(other) != isa::form(op)) continue;
    const isa::Insn fixed = isa::encode(other);
    insn.code = fixed.code;
    if (isa::info(other).select == isa::Select::Imm) insn.imm = fixed.imm;
    if (isa::info(other).select == isa::Select::Off) insn.off = fixed.off;
    if ((isa::form_info(other).fields & isa::kOff) == 0) insn.off = fixed.off;
    return;
  }
}

void Mutator::number(isa::Insn& insn) {
  const auto x = static_cast<std::int32_t>(random_());
  const std::int32_t step = pick(2) == 0 ? 1 : -1;
  const std::uint8_t fields = isa::form_info(isa::decode(insn)).fields;
  if ((fields & isa::kImm) == 0 && (fields & isa::kOff) == 0) return;
  const std::size_t first = (fields & isa::kImm) != 0 ? 0 : 3, last = (fields & isa::kOff) != 0 ? 5 : 3;
  switch (first + pick(last - first)) {
    case 0: insn.imm = x >> pick(32); break;
    case 1: insn.imm += step; break;
    case 2: insn.imm ^= std::int32_t{1} << pick(31); break;
    case 3: insn.off = static_cast<std::int16_t>(insn.off + step * (1 << pick(5))); break;
    default: insn.off = static_cast<std::int16_t>(insn.off + step); break;
  }
}

// One that an instruction near by names.
std::uint8_t Mutator::nearby_register(const Program& program, std::size_t index) {
  if (pick(8) == 0) return static_cast<std::uint8_t>(pick(11));
  const std::size_t first = index < 4 ? 0 : index - 4;
  const isa::Insn& insn = program.insns[first + pick(std::min<std::size_t>(8, program.insns.size() - first))];
  return pick(2) == 0 ? insn.dst : insn.src;
}

void Mutator::change(Program& program) {
  std::size_t index = pick(program.insns.size());
  if (isa::decode(program.insns[index]) == isa::Op::Invalid && index > 0) --index;  // a second slot
  isa::Insn& insn = program.insns[index];
  switch (pick(8)) {
    case 0: return operation(insn);
    case 1: insn.dst = nearby_register(program, index) & 0xf; return;
    case 2:
      if ((isa::form_info(isa::decode(insn)).fields & isa::kSrc) != 0) insn.src = nearby_register(program, index) & 0xf;
      return;
    case 3:
    case 4: return number(insn);
    case 5: return erase(program, index, slots_at(program, index));
    case 6: return duplicate(program, index);
    default: {
      const std::size_t other = pick(program.insns.size());
      const auto small = [&](std::size_t i) {
        return !isa::is_ld_imm64(isa::decode(program.insns[i])) && program.insns[i].code != 0;
      };
      if (small(index) && small(other)) exchange(program, index, other);
    }
  }
}

}  // namespace skep::judge
