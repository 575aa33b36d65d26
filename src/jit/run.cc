#include "jit/run.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "exec/failure.h"
#include "exec/packet_view.h"
#include "exec/tail_call.h"
#include "isa/insn.h"
#include "jit/program.h"
#include "jit/stubs.h"

namespace skep::jit {
namespace {

using exec::Call;
using exec::Executable;
using exec::Failure;

// The state of a run that may be stopped: on the C stack of enter(), named by Call::engine.
struct Run {
  std::uint64_t way_out = 0;  // of the innermost guard
  unsigned callbacks = 0;     // that are running, one within the other
  x64::Counting counting = x64::Counting::No;
  const Executable* other = nullptr;  // of another engine, where a tail call goes
};

Run& run_of(Call& call) noexcept { return *static_cast<Run*>(call.engine); }

const Program& program_of(const Executable& executable) noexcept { return static_cast<const Program&>(executable); }

void note(Call& call, std::uint32_t insn, Failure::Kind kind, std::string_view object) noexcept {
  exec::note_stop(call, call.program->image(), insn, kind, object);
}

[[noreturn]] void leave(Call& call) noexcept { skep_jit_leave(run_of(call).way_out); }

// ---- Services

[[noreturn]] void stop(Call& call, std::uint32_t insn, x64::Stop why) noexcept {
  switch (why) {
    case x64::Stop::NoHelper: note(call, insn, Failure::Kind::BadCall, "this helper has no body here"); break;
    case x64::Stop::NoKfunc: note(call, insn, Failure::Kind::BadCall, "this kernel function has no body here"); break;
    case x64::Stop::BadInstruction: note(call, insn, Failure::Kind::BadInstruction, ""); break;
    case x64::Stop::Budget:
      call.budget = 0;
      note(call, insn, Failure::Kind::Budget, "");
      break;
  }
  leave(call);
}

[[noreturn]] void abandon(Call& call) noexcept { leave(call); }

// What a tail call to a program of another engine goes to.
std::uint64_t run_other(Call& call) noexcept {
  Run& run = run_of(call);
  const Executable* const before = std::exchange(call.program, run.other);
  if (run.counting == x64::Counting::Yes) call.budget = std::max<std::uint64_t>(call.budget, 1);
  const std::uint64_t result = call.program->run(call);
  if (call.stopped) leave(call);
  call.program = before;
  return result;
}

// The same without a guard: the frame of main is gone, and whoever runs it is the caller.
std::uint64_t run_next(Call& call) noexcept { return call.program->run(call); }

std::uint64_t tail_call(Call& call, std::uint64_t, std::uint64_t map, std::uint64_t index) noexcept {
  const Executable* const target = exec::tail_target(call, map, index);
  if (target == nullptr) return 0;
  if (call.engine == nullptr) {
    const bool stays = target->same_engine(*call.program) && !program_of(*target).guarded();
    call.program = target;
    return stays ? reinterpret_cast<std::uint64_t>(program_of(*target).entry(x64::Counting::No))
                 : reinterpret_cast<std::uint64_t>(&run_next);
  }
  Run& run = run_of(call);
  if (!target->same_engine(*call.program)) {
    run.other = target;
    return reinterpret_cast<std::uint64_t>(&run_other);
  }
  const std::byte* const code = program_of(*target).entry(run.counting);
  if (code == nullptr) {
    note(call, 0, Failure::Kind::BadCall, "there is no memory for the code of the program that follows");
    leave(call);
  }
  call.program = target;
  return reinterpret_cast<std::uint64_t>(code);
}

std::uint64_t load_packet(Call& call, std::uint32_t offset, std::uint32_t bytes) noexcept {
  const auto at = static_cast<std::int32_t>(offset);
  return exec::load_packet(call.context, at, bytes).value_or(~std::uint64_t{0});
}

// ---- Callbacks

std::uint64_t callback(Call& call, std::uint64_t function, std::uint64_t a1, std::uint64_t a2, std::uint64_t a3,
                       std::uint64_t a4, std::uint64_t a5) noexcept {
  constexpr std::uint64_t kNoMore = 1;  // what ends the helper's own loop
  Run& run = run_of(call);
  if (call.stopped) return kNoMore;
  if (run.callbacks + 1 >= isa::kMaxFrames) {
    note(call, 0, Failure::Kind::BadCall, "callbacks nested too deep");
    return kNoMore;
  }
  const std::uint64_t outside = run.way_out;
  ++run.callbacks;
  const std::uint64_t result =
      skep_jit_guard(&call, a1, a2, a3, a4, a5, reinterpret_cast<const void*>(function), &run.way_out);
  --run.callbacks;
  run.way_out = outside;
  return call.stopped ? kNoMore : result;
}

std::uint64_t enter_guarded(const Program& program, Call& call, std::uint64_t context, std::uint64_t length) noexcept {
  Run run{.counting = call.budget != 0 ? x64::Counting::Yes : x64::Counting::No};
  const std::byte* const code = program.entry(run.counting);
  if (code == nullptr) {
    note(call, 0, Failure::Kind::BadCall, "there is no memory for its code");
    return 0;
  }
  const auto outer = std::pair(call.callback, call.engine);
  call.callback = callback;
  call.engine = &run;
  const std::uint64_t result = skep_jit_guard(&call, context, length, 0, 0, 0, code, &run.way_out);
  std::tie(call.callback, call.engine) = outer;
  return result;
}

}  // namespace

std::uint64_t enter(const Executable& self, Call& call) noexcept {
  using Code = std::uint64_t (*)(Call&, std::uint64_t r1, std::uint64_t r2) noexcept;
  const Program& program = program_of(self);
  const auto context = reinterpret_cast<std::uint64_t>(call.context);
  const std::uint64_t length = self.image().context == exec::ContextKind::Memory ? call.context_bytes : 0;
  // Within another engine's run the guard says whose run this is.
  if (program.guarded() || call.budget != 0 || call.engine != nullptr) [[unlikely]]
    return enter_guarded(program, call, context, length);
  return std::bit_cast<Code>(program.entry(x64::Counting::No))(call, context, length);
}

x64::Services services() noexcept {
  const auto address = [](auto* function) { return reinterpret_cast<std::uint64_t>(function); };
  return {.stop = address(&stop),
          .abandon = address(&abandon),
          .tail_call = address(&tail_call),
          .load_packet = address(&load_packet)};
}

}  // namespace skep::jit
