// Unwinding through compiled code, from every single instruction of it: programs are run step by step, and at each step
// in compiled code the process's own unwinder must find the way back to who entered the program, by the table that
// Tools::unwinder registers.
#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#include <cstdint>
#include <random>

#include "base/sanitized.h"
#include "exec/random_program.h"
#include "interp/testing.h"
#include "isa/disasm.h"
#include "jit/jit.h"

namespace skep::jit {
namespace {

#if defined(__x86_64__)

// What the handler of SIGTRAP knows and counts.
struct Watch {
  std::uint64_t first = 0, last = 0;  // of the compiled code
  std::uint64_t wanted = 0;           // an address within the frame that entered it
  std::uint64_t steps = 0;            // in it
  std::uint64_t lost = 0;             // where the way back was not found
  std::uint64_t where = 0;            // the first of these
  bool armed = false;
};
Watch watch;

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* found) {
  if (_Unwind_GetCFA(frame) != watch.wanted) return _URC_NO_REASON;
  *static_cast<bool*>(found) = true;
  return _URC_END_OF_STACK;
}

void on_step(int, siginfo_t*, void* context) {
  auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  if (!watch.armed) registers[REG_EFL] &= ~0x100L;  // no more steps
  const auto at = static_cast<std::uint64_t>(registers[REG_RIP]);
  if (at < watch.first || at >= watch.last) return;
  bool found = false;
  _Unwind_Backtrace(visit, &found);
  ++watch.steps;
  if (!found && watch.lost++ == 0) watch.where = at - watch.first;
}

// Runs the program step by step. The frame of this function is what must be found.
[[gnu::noinline]] std::uint64_t run_by_steps(const exec::Executable& program, exec::Call& call) {
  watch.wanted = reinterpret_cast<std::uint64_t>(__builtin_dwarf_cfa());
  watch.armed = true;
  asm volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
  const std::uint64_t result = program.run(call);
  watch.armed = false;
  return result;
}

class Unwind : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto there = available(); !there) GTEST_SKIP() << there.error().message;
    if (SKEP_SANITIZED) GTEST_SKIP() << "sanitizers have an unwinder of their own, which knows no compiled frames";
    struct sigaction action{};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGTRAP, &action, &before_);
    world_.add_helper(spec::HelperId::ktime_get_ns, exec::testing::mix_body);
    world_.add_helper(spec::HelperId::loop, exec::testing::loop_body);
  }
  void TearDown() override { ::sigaction(SIGTRAP, &before_, nullptr); }

  // How many steps were in the program.
  std::uint64_t follow(std::vector<isa::Insn> insns, Hardening hardening = {}, std::uint64_t budget = 0) {
    exec::Source source;
    source.name = "followed";
    source.insns = insns;
    auto image = exec::assume_verified(source, exec::ContextKind::Memory, "test of unwinding");
    EXPECT_TRUE(image) << (image ? "" : image.error().message);
    if (!image) return 0;
    Tools tools;
    tools.unwinder = true;
    const auto program =
        bind(std::make_shared<const exec::Image>(*std::move(image)), world_, {.hardening = hardening, .tools = tools});
    EXPECT_TRUE(program) << (program ? "" : program.error().message);
    if (!program) return 0;
    const std::vector<Piece> all = pieces(**program);
    watch = {};
    watch.first = reinterpret_cast<std::uintptr_t>(all.front().code);
    const auto shared = std::ranges::find(all, Piece::kShared, &Piece::insn);
    watch.last = reinterpret_cast<std::uintptr_t>(shared->code);
    exec::Call call(world_);
    alignas(8) std::byte memory[64] = {};
    call.context = memory;
    call.context_bytes = sizeof memory;
    call.program = program->get();
    call.budget = budget;
    run_by_steps(**program, call);
    EXPECT_EQ(watch.lost, 0U) << "of " << watch.steps << ", first at " << watch.where << '\n'
                              << isa::disassemble(insns);
    return watch.steps;
  }
  std::uint64_t follow(std::string_view text, Hardening hardening = {}) {
    return follow(exec::testing::assembled(text), hardening);
  }
  void let_code_read_the_clock() { world_.reader = ::clock_gettime; }

 private:
  interp::testing::World world_;
  struct sigaction before_{};
};

TEST_F(Unwind, FindsTheWayBackFromEveryInstruction) {
  EXPECT_GT(follow("r0 = 7\nexit"), 1U);
  EXPECT_GT(follow("r6 = r1\nr9 = r2\nr0 = r6\nr0 -= r9\nexit"), 5U);                   // saved registers
  EXPECT_GT(follow("*(u64 *)(r10 -12) = 1\nr0 = *(u64 *)(r10 -12)\nexit"), 5U);         // a frame
  EXPECT_GT(follow("r6 = 1\n*(u64 *)(r10 -8) = r6\nr0 = *(u64 *)(r10 -8)\nexit"), 5U);  // both
  EXPECT_GT(follow("r6 = 1\ncall f\nr0 += r6\nexit\nf: r7 = 5\n*(u64 *)(r10 -8) = r7\nr0 = *(u64 *)(r10 -8)\nexit"),
            10U);
  EXPECT_GT(follow("r6 = 1\ncall bpf_ktime_get_ns#5\nr0 += r6\nexit"), 5U);  // padding
}

TEST_F(Unwind, RoomOnTheStackThatACallIsGiven) {
  let_code_read_the_clock();
  EXPECT_GT(follow("r6 = 1\ncall bpf_ktime_get_ns#5\nr0 += r6\nexit"), 12U);
  EXPECT_GT(follow("*(u64 *)(r10 -8) = 1\ncall bpf_ktime_get_ns#5\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nexit"), 12U);
}

TEST_F(Unwind, SeveralWaysOutOfAFunction) {
  for (const std::string_view condition : {"0", "1"})
    EXPECT_GT(follow("r6 = " + std::string(condition) +
                     "\n*(u64 *)(r10 -8) = r6\nif r6 == 0 goto pc+2\nr0 = 1\nexit\nr0 = *(u64 *)(r10 -8)\nexit"),
              5U);
}

TEST_F(Unwind, CallbacksAreEnteredByAGuard) {
  EXPECT_GT(
      follow("r1 = 3\nr2 = subprog[f]\nr3 = 0\nr4 = 0\ncall bpf_loop#181\nexit\nf: r6 = r1\n*(u64 *)(r10 -8) = r6\n"
             "r0 = 0\nexit"),
      20U);
}

TEST_F(Unwind, RandomPrograms) {
  alignas(16) static std::array<std::byte, exec::testing::RandomProgram::kBuffer> buffer;
  std::uint64_t steps = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    // Those with loops would need the counting form, which no tool is told of.
    auto insns = exec::testing::RandomProgram([&] { return static_cast<std::uint32_t>(random()); },
                                              reinterpret_cast<std::uint64_t>(buffer.data()))
                     .make();
    const auto back = [&](std::size_t i) {
      const auto target = isa::jump_target(isa::decode(insns[i]), insns[i], i);
      return target && *target <= static_cast<std::int64_t>(i);
    };
    bool loops = false;
    for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) loops = loops || back(i);
    if (loops) continue;
    steps += follow(insns, {.blinding = seed % 2 != 0, .retpolines = false});
    if (HasFailure()) return;
  }
  EXPECT_GT(steps, 1'000U);
}

#endif

}  // namespace
}  // namespace skep::jit
