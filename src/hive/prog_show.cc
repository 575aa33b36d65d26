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

// Where an instruction that was verified is in what runs: lowering moves some.
class Places {
 public:
  explicit Places(const ProgObject& program) : places_(program.code ? &program.code->image().places : nullptr) {}
  std::uint32_t operator()(std::uint32_t insn) const {
    return places_ == nullptr || places_->empty() ? insn : (*places_)[insn];
  }

 private:
  const std::vector<std::uint32_t>* places_;
};

}  // namespace

void show(const Loading& loading, ProgObject& program) {
  const Places place(program);
  std::vector<verifier::ShownFunction> functions;
  program.starts.clear();
  for (const spec::VerifiedFunction& function : loading.functions)
    functions.push_back({place(function.start), function.stack_depth});
  for (const verifier::ShownFunction& function : functions) program.starts.push_back(function.start);
  spec::Rewrites rewrites = loading.rewrites;
  for (spec::InlinedLoop& loop : rewrites.loops) loop = {place(loop.insn), place(loop.callback)};
  for (spec::PointerMask& mask : rewrites.masks) mask.insn = place(mask.insn);
  for (spec::Barrier& barrier : rewrites.barriers) barrier.insn = place(barrier.insn);
  const auto shown = verifier::translate(program.translated, functions, rewrites, casts(loading, program));
  if (!shown) return;  // a jump would be too long: the program is shown as it runs
  program.translated = shown->insns;
  for (std::uint32_t& start : program.starts) start = shown->moved[start];
  for (spec::FuncInfo& func : program.funcs) func.insn_off = shown->moved[func.insn_off];
  for (spec::LineInfo& line : program.lines) line.insn_off = shown->moved[line.insn_off];
}

}  // namespace skep::hive
