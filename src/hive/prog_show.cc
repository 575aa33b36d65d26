#include <algorithm>

#include "hive/prog_load.h"
#include "isa/op.h"
#include "verifier/finish/translate.h"

namespace skep::hive {
namespace {

// Kernel functions that only change a type, if the program calls any.
std::vector<std::int32_t> casts(const Loading& loading, const ProgObject& program) {
  std::vector<std::int32_t> ids;
  const auto calls = [](const isa::Insn& insn) { return isa::decode(insn) == isa::Op::CallKfunc; };
  if (std::ranges::none_of(program.translated, calls)) return ids;
  const btf::Btf* types = loading.request.hive.kernel_btf();
  if (types == nullptr) return ids;
  for (const std::string_view name : {"bpf_cast_to_kern_ctx", "bpf_rdonly_cast"})
    if (const auto id = types->find(name, btf::Kind::Func)) ids.push_back(static_cast<std::int32_t>(*id));
  return ids;
}

// Where functions begin in what runs: as in what was verified, or where lowering moved them.
std::vector<verifier::ShownFunction> functions(const Loading& loading, const ProgObject& program) {
  std::vector<verifier::ShownFunction> shown;
  for (std::size_t i = 0; i < loading.functions.size(); ++i) {
    const spec::VerifiedFunction& function = loading.functions[i];
    const std::uint32_t start = program.code ? program.code->image().subprograms[i].start : function.start;
    shown.push_back({start, function.stack_depth});
  }
  return shown;
}

}  // namespace

void show(const Loading& loading, ProgObject& program) {
  const auto shown = verifier::translate(program.translated, functions(loading, program), {}, casts(loading, program));
  if (!shown) return;  // a jump would be too long: the program is shown as it runs
  program.translated = shown->insns;
  for (spec::FuncInfo& func : program.funcs) func.insn_off = shown->moved[func.insn_off];
  for (spec::LineInfo& line : program.lines) line.insn_off = shown->moved[line.insn_off];
}

}  // namespace skep::hive
