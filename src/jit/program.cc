#include "jit/program.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "base/thread.h"
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

// With a seed that nobody knows.
Result<x64::Hardening> hardening_of(const Hardening& asked) {
  x64::Hardening hardening{.blinding = 0, .retpolines = asked.retpolines, .barriers = asked.barriers};
  while (asked.blinding && hardening.blinding == 0)
    if (::getrandom(&hardening.blinding, sizeof hardening.blinding, 0) < 0 && errno != EINTR)
      return fail(errno, "there are no random numbers to blind constants with");
  return hardening;
}

// Tools are told of layouts.
x64::Wanted wanted(const Tools& tools) noexcept { return tools.any() ? x64::Wanted::Layout : x64::Wanted::Code; }

Result<x64::Place> place_of_code() {
  TRY(const CodeMemory::Range range, CodeMemory::of_process().range());
  return x64::Place{range.first, range.last};
}

}  // namespace

Program::Program(std::shared_ptr<const exec::Image> image, exec::Values values, x64::Features features)
    : Executable(std::move(image), enter), values_(std::move(values)), features_(features) {}

Result<std::unique_ptr<Program>> Program::bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               x64::Features features, const Options& options) {
  if (options.tools.perf_map) CodeMemory::of_process().stand_in_no_file();
  TRY_VOID(available());
  TRY(exec::Values values, exec::relocate(*image, bindings));
  std::unique_ptr<Program> program(new Program(std::move(image), std::move(values), features));
  TRY(program->hardening_, hardening_of(options.hardening));
  const auto calls_register = [](const isa::Insn& insn) { return isa::decode(insn) == isa::Op::CallReg; };
  if (std::ranges::any_of(program->image().insns, calls_register))
    for (std::uint32_t id = 0; id < kRegisterCallIds; ++id)
      program->helpers_.push_back(reinterpret_cast<std::uint64_t>(bindings.helper(id)));
  TRY(program->place_, place_of_code());
  program->tools_ = options.tools;
  TRY(x64::Code code, program->translate(program->place_, x64::Counting::No, wanted(options.tools)));
  TRY(program->code_, program->install(code));
  program->code_bytes_ = code.bytes.size();
  program->entries_ = std::move(code.entries);
  program->guarded_ = code.guarded;
  const std::byte* const start = program->code_.code();
  program->jump_target = {.code = start, .body = start + code.body, .frame = code.frame};
  return program;
}

Result<x64::Code> Program::translate(x64::Place place, x64::Counting counting, x64::Wanted wanted) const {
  return x64::compile({.image = image(),
                       .values = values_.by_insn,
                       .recipes = values_.recipes,
                       .maps = values_.maps,
                       .known = values_.known,
                       .helpers = helpers_,
                       .arena = values_.arena,
                       .program = reinterpret_cast<std::uint64_t>(this),
                       .found_as = reinterpret_cast<std::uint64_t>(&found_as),
                       .clock = std::bit_cast<std::uint64_t>(values_.clock),
                       .owner = static_cast<std::int32_t>(owner_offset()),
                       .services = services(),
                       .features = features_,
                       .place = place,
                       .counting = counting,
                       .hardening = hardening_,
                       .wanted = wanted});
}

// Puts code where it will stand, and tells tools of it.
Result<CodeMemory::Block> Program::install(const x64::Code& code) const {
  TRY(CodeMemory::Block block, CodeMemory::of_process().allocate(code.bytes.size()));
  write(code, block);
  if (!tools_.any()) return block;
  const Portrait portrait = portrait_of(image(), {block.code(), code.bytes.size()}, code);
  if (tools_.perf_map) tell_perf_map(portrait);
  if (tools_.jitdump) tell_jitdump(portrait);
  if (tools_.gdb) told_.push_back(tell_gdb(portrait));
  if (tools_.unwinder) told_.push_back(tell_unwinder(portrait));
  return block;
}

x64::Layout Program::layout() const {
  auto code = translate(place_, x64::Counting::No, x64::Wanted::Layout);
  return code ? std::move(code->layout) : x64::Layout{};  // what was compiled once can be compiled again
}

const std::byte* Program::entry(x64::Counting counting) const noexcept {
  if (counting == x64::Counting::No) return code_.code();
  const std::byte* const made = counting_.load(std::memory_order_acquire);
  return made != nullptr ? made : make_counting();
}

// The arena may be another by now: a child that was made without libc has its own.
Result<CodeMemory::Block> Program::compile_counting() const {
  TRY(const x64::Place place, place_of_code());
  TRY(const x64::Code code, translate(place, x64::Counting::Yes, wanted(tools_)));
  return install(code);
}

const std::byte* Program::make_counting() const noexcept {
  const std::scoped_lock lock(mutex_);
  if (!counting_code_) {
    Result<CodeMemory::Block> made = compile_counting();
    if (!made) return nullptr;
    counting_code_ = *std::move(made);
    counting_.store(counting_code_.code(), std::memory_order_release);
  }
  return counting_code_.code();
}

Result<std::unique_ptr<exec::Executable>> bind(std::shared_ptr<const exec::Image> image, const exec::Bindings& bindings,
                                               const Options& options) {
  static const x64::Features features = x64::features();
  return Program::bind(std::move(image), bindings, features, options);
}

// ---- Shown

namespace {
const Program* program_of(const exec::Executable& executable) { return dynamic_cast<const Program*>(&executable); }
}  // namespace

std::vector<Function> functions(const exec::Executable& executable) {
  std::vector<Function> list;
  const Program* program = program_of(executable);
  if (program == nullptr) return list;
  const std::span<const std::uint32_t> entries = program->entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const exec::Subprogram& subprogram = program->image().subprograms[i];
    const std::size_t end = i + 1 < entries.size() ? entries[i + 1] : program->code().size();
    list.push_back({subprogram.name, subprogram.start, program->code().subspan(entries[i], end - entries[i])});
  }
  return list;
}

bool blinded(const exec::Executable& executable) {
  const Program* program = program_of(executable);
  return program != nullptr && program->blinded();
}

std::vector<Piece> pieces(const exec::Executable& executable) {
  std::vector<Piece> list;
  const Program* program = program_of(executable);
  if (program == nullptr) return list;
  for (const x64::Layout::Piece& piece : program->layout().pieces)
    list.push_back({program->code().data() + piece.offset, piece.slot});
  return list;
}

std::vector<const std::byte*> addresses(const exec::Executable& executable) {
  std::vector<const std::byte*> list;
  const Program* program = program_of(executable);
  if (program == nullptr) return list;
  for (const std::uint32_t offset : program->layout().offsets(program->image().insns.size()))
    list.push_back(program->code().data() + offset);
  return list;
}

Result<> available() {
  if (!kKnownProcessor) return fail(ENOTSUP, "there is no compiler for this processor");
  const auto range = CodeMemory::of_process().range();
  return range ? Result<>{} : std::unexpected(range.error());
}

}  // namespace skep::jit
