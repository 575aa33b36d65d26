#include "jit/program.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "isa/op.h"
#include "jit/jit.h"
#include "jit/run.h"

namespace skep::jit {
namespace {

#if defined(__x86_64__)
constexpr bool kKnownProcessor = true;
#else
constexpr bool kKnownProcessor = false;
#endif

constexpr std::uint32_t kRegisterCallIds = 256;  // helpers that a call through a register can reach

// Puts `code` where it will stand.
void write(const x64::Code& code, const CodeMemory::Block& block) noexcept {
  std::byte* const to = block.writable();
  std::memcpy(to, code.bytes.data(), code.bytes.size());
  const auto address = reinterpret_cast<std::uint64_t>(block.code());
  for (const x64::Fixup& fixup : code.fixups)
    store(to + fixup.at, static_cast<std::uint32_t>(fixup.target - (address + fixup.at + sizeof(std::uint32_t))));
}

}  // namespace

Program::Program(std::shared_ptr<const exec::Image> image, exec::Values values, x64::Features features)
    : Executable(std::move(image), enter), values_(std::move(values)), features_(features) {}

Result<std::unique_ptr<Program>> Program::bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               x64::Features features) {
  TRY_VOID(available());
  TRY(exec::Values values, exec::relocate(*image, bindings));
  std::unique_ptr<Program> program(new Program(std::move(image), std::move(values), features));
  const auto calls_register = [](const isa::Insn& insn) { return isa::decode(insn) == isa::Op::CallReg; };
  if (std::ranges::any_of(program->image().insns, calls_register))
    for (std::uint32_t id = 0; id < kRegisterCallIds; ++id)
      program->helpers_.push_back(reinterpret_cast<std::uint64_t>(bindings.helper(id)));
  TRY(program->code_, program->compile(x64::Counting::No, program->guarded_));
  program->jump_target = program->code_.code();
  return program;
}

Result<CodeMemory::Block> Program::compile(x64::Counting counting, bool& guarded) const {
  CodeMemory& memory = CodeMemory::of_process();
  TRY(const CodeMemory::Range range, memory.range());
  TRY(const x64::Code code, x64::compile({.image = image(),
                                          .values = values_.by_insn,
                                          .recipes = values_.recipes,
                                          .helpers = helpers_,
                                          .program = reinterpret_cast<std::uint64_t>(this),
                                          .services = services(),
                                          .features = features_,
                                          .place = {range.first, range.last},
                                          .counting = counting}));
  TRY(CodeMemory::Block block, memory.allocate(code.bytes.size()));
  write(code, block);
  guarded = code.guarded;
  return block;
}

const std::byte* Program::entry(x64::Counting counting) const noexcept {
  if (counting == x64::Counting::No) return code_.code();
  const std::byte* const made = counting_.load(std::memory_order_acquire);
  return made != nullptr ? made : make_counting();
}

const std::byte* Program::make_counting() const noexcept {
  const std::scoped_lock lock(mutex_);
  if (!counting_code_) {
    bool guarded = true;  // it always is
    Result<CodeMemory::Block> made = compile(x64::Counting::Yes, guarded);
    if (!made) return nullptr;
    counting_code_ = *std::move(made);
    counting_.store(counting_code_.code(), std::memory_order_release);
  }
  return counting_code_.code();
}

Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image,
                                               const exec::Bindings& bindings) {
  static const x64::Features features = x64::features();
  return Program::bind(std::move(image), bindings, features);
}

Result<> available() {
  if (!kKnownProcessor) return fail(ENOTSUP, "there is no compiler for this processor");
  const auto range = CodeMemory::of_process().range();
  return range ? Result<>{} : std::unexpected(range.error());
}

}  // namespace skep::jit
