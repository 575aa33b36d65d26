#include "exec/tail_call.h"

#include "isa/insn.h"

namespace skep::exec {

const Executable* tail_target(Call& call, std::uint64_t map, std::uint64_t index) noexcept {
  if (call.tail_calls >= isa::kMaxTailCalls) return nullptr;
  const auto key = static_cast<std::uint32_t>(index);
  const maps::Reference reference =
      reinterpret_cast<maps::Map*>(map)->reference(reinterpret_cast<const std::byte*>(&key));
  if (reference == maps::Reference{}) return nullptr;
  const Executable* target = call.host.program(reference);
  if (target) ++call.tail_calls;
  return target;
}

}  // namespace skep::exec
