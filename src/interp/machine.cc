#include "interp/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "interp/objects.h"

namespace skep::interp {
namespace {

// "file:line: text" of the line that instruction `insn` belongs to.
std::string source_of(const exec::Image& image, std::uint32_t insn) {
  const auto behind = std::ranges::upper_bound(image.lines, insn, {}, &exec::SourceLine::insn);
  if (behind == image.lines.begin()) return {};
  const exec::SourceLine& line = *std::prev(behind);
  return fmt::format("{}:{}: {}", line.file, line.line, line.text);
}

}  // namespace

std::uint64_t stop(Machine& machine, const Code* pc, exec::Failure::Kind kind, std::string_view object) noexcept {
  machine.call.stopped = true;
  exec::Failure* failure = machine.call.failure;
  if (!failure) return 0;
  const exec::Image& image = machine.program->image();
  failure->kind = kind;
  failure->insn = machine.program->index_of(pc, machine.mode);
  failure->object = object;
  failure->program = image.name;
  failure->source = source_of(image, failure->insn);
  return 0;
}

std::uint64_t stop_fault(Machine& machine, const Code* pc) noexcept {
  stop(machine, pc, machine.objects->fault().kind, {});
  if (machine.call.failure) machine.objects->describe(*machine.call.failure);
  return 0;
}

std::uint64_t run_other(Machine& machine, const exec::Executable& target) noexcept {
  exec::Call& call = machine.call;
  if (call.budget) call.budget = std::max<std::uint64_t>(machine.budget, 1);
  const exec::Executable* const before = std::exchange(call.program, &target);
  const std::uint64_t result = target.run(call);
  call.program = before;
  if (call.budget) machine.budget = call.budget;
  return result;
}

}  // namespace skep::interp
