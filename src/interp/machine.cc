#include "interp/machine.h"

#include <algorithm>
#include <utility>

#include "interp/objects.h"

namespace skep::interp {
std::uint64_t stop(Machine& machine, const Code* pc, exec::Failure::Kind kind, std::string_view object) noexcept {
  exec::note_stop(machine.call, machine.program->image(), machine.program->index_of(pc, machine.mode), kind, object);
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
