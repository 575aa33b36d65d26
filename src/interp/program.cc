#include "interp/program.h"

#include <algorithm>

#include "exec/relocate.h"
#include "isa/op.h"

namespace skep::interp {
namespace {

using isa::Op;

constexpr std::uint32_t kTailCall = 12;          // id of bpf_tail_call
constexpr std::uint32_t kProbeRead = 113;        // of bpf_probe_read_kernel
constexpr std::uint32_t kRegisterCallIds = 256;  // helpers that a call through a register can reach

bool uses(const exec::Image& image, Op op) {
  return std::ranges::any_of(image.insns, [&](const isa::Insn& insn) { return isa::decode(insn) == op; });
}

}  // namespace

Program::Program(std::shared_ptr<const exec::Image> image, Policy policy)
    : Executable(std::move(image), policy == Policy::Plain ? enter_plain : enter_checked), policy_(policy) {}

Result<std::unique_ptr<Program>> Program::bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               Policy policy) {
  std::unique_ptr<Program> program(new Program(std::move(image), policy));
  TRY_VOID(program->relocate(bindings));
  if (policy == Policy::Plain) {
    program->translate(Mode::Plain);
    program->translate(Mode::Counted);
  } else {
    program->translate(Mode::Checked);
  }
  return program;
}

Result<> Program::relocate(const exec::Bindings& bindings) {
  const auto& insns = image().insns;
  TRY(exec::Values values, exec::relocate(image(), bindings));
  values_ = std::move(values.by_insn);
  maps_ = std::move(values.maps);
  arena_ = values.arena;
  needs_many_frames_ = image().is_deep;
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const Op op = isa::decode(insns[i]);
    if (op == Op::LdFunc)
      values_[i] = function_value(static_cast<std::uint64_t>(*isa::subprog_target(op, insns[i], i)));
    needs_many_frames_ |= op == Op::CallHelper && insns[i].imm == kTailCall;
    i += isa::slots(op) - 1;
  }
  probe_ = bindings.helper(kProbeRead);
  if (uses(image(), Op::CallReg))
    for (std::uint32_t id = 0; id < kRegisterCallIds; ++id) helpers_.push_back(bindings.helper(id));
  return {};
}

void Program::translate(Mode mode) {
  const auto& insns = image().insns;
  auto& codes = codes_[static_cast<std::size_t>(mode)];
  codes.resize(insns.size());
  for (std::size_t i = 0; i < insns.size(); ++i) {
    codes[i] = translate(mode, i);
    if (!isa::is_ld_imm64(isa::decode(insns[i]))) continue;
    codes[i + 1] = {.handler = nullptr, .value = values_[i]};
    ++i;
  }
  if (mode == Mode::Plain) fuse(codes);
}

// Pairs run by one handler. Counting needs each instruction apart, checking an instruction to blame.
void Program::fuse(std::vector<Code>& codes) const noexcept {
  const auto& insns = image().insns;
  for (std::size_t i = 0; i + 1 < insns.size(); i += isa::slots(isa::decode(insns[i])))
    if (const auto both = fused(insns[i], insns[i + 1]); both && !is_guarded(i) && !is_guarded(i + 1))
      codes[i].handler = handlers(Mode::Plain)[static_cast<std::size_t>(*both)];
}

bool Program::is_probed(std::size_t index) const noexcept {
  return std::ranges::binary_search(image().probed, static_cast<std::uint32_t>(index));
}

bool Program::is_in_arena(std::size_t index) const noexcept {
  return std::ranges::binary_search(image().arena_accesses, static_cast<std::uint32_t>(index));
}

Code Program::translate(Mode mode, std::size_t index) const noexcept {
  const isa::Insn& insn = image().insns[index];
  const Op op = isa::decode(insn);
  const auto handler = [&](auto which) { return handlers(mode)[static_cast<std::size_t>(which)]; };
  const isa::Form form = isa::form(op);
  if ((form == isa::Form::PacketAbs || form == isa::Form::PacketInd) && image().context != exec::ContextKind::SkBuff)
    return {.handler = handler(Op::Invalid), .value = 0};  // there is no packet to load from
  if (is_guarded(index))
    return {.handler = handler(is_probed(index) ? Extra::ProbedLoad : Extra::ArenaAccess),
            .is = {.dst = insn.dst, .src = insn.src, .off = insn.off, .imm = insn.imm}};
  if (op == Op::CallKfunc) return {.handler = handler(op), .value = values_[index]};
  if (op != Op::CallHelper)
    return {.handler = handler(op), .is = {.dst = insn.dst, .src = insn.src, .off = insn.off, .imm = insn.imm}};
  if (insn.imm == kTailCall) return {.handler = handler(Extra::TailCall), .value = 0};
  if (values_[index] == 0) return {.handler = handler(Extra::MissingHelper), .value = 0};
  return {.handler = handler(op), .value = values_[index]};
}

std::optional<std::uint32_t> Program::function(std::uint64_t value) const noexcept {
  const std::uint64_t insn = value ^ kFunctionTag;
  const auto& subprograms = image().subprograms;
  const auto found = std::ranges::lower_bound(subprograms, insn, {}, &exec::Subprogram::start);
  if (found == subprograms.end() || found->start != insn) return {};
  return static_cast<std::uint32_t>(insn);
}

Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               Policy policy) {
  return Program::bind(std::move(image), bindings, policy);
}

}  // namespace skep::interp
