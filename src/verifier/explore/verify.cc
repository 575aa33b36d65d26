#include "verifier/explore/verify.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "isa/disasm.h"
#include "spec/helpers.h"
#include "spec/uapi.h"
#include "verifier/explore/passes.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

class Names : public isa::Names {
 public:
  std::string helper(std::int32_t id) const override {
    const spec::Helper* found = spec::find_helper(static_cast<std::uint32_t>(id));
    return found == nullptr ? "" : fmt::format("bpf_{}", found->name);
  }
};

void print_insn(Walk& walk) {
  const std::string text = isa::to_text(walk.input.insns, walk.index, Names());
  walk.log.insn(walk.index, fmt::format("({:02x}) {}", walk.input.insns[walk.index].code, text));
}

// The log at the start of a step: the path when it is a new one, what the last step changed, the instruction.
void show(Walk& walk, const Fork* entered) {
  if (!walk.log.shows_walk()) return;
  if (entered != nullptr && walk.log.shows_all_paths()) walk.log.path(entered->from, walk.index, walk.frame);
  if (walk.changes.any()) walk.log.changes(walk.index, walk.frame, walk.changes);
  walk.changes = {};
  print_insn(walk);
}

// The next path, if there is one. At log level 1 the path just finished is no longer of interest.
bool enter_fork(Walk& walk, Fork& entered) {
  if (walk.forks.empty()) return false;
  entered = std::move(walk.forks.back());
  walk.forks.pop_back();
  walk.frame = std::move(entered.frame);
  walk.index = entered.insn;
  walk.changes = Changes::all();
  walk.ended = false;
  if (!walk.log.shows_all_paths()) walk.log.take_back(entered.log_size);
  return true;
}

Checked explore(Walk& walk, spec::VerifyStats& stats) {
  walk.index = 0;
  walk.reg(1) = Register::pointer(Kind::Context);
  walk.reg(isa::kRegisters - 1) = Register::pointer(Kind::Stack);
  Fork entered{};
  bool is_new_path = false;
  for (;;) {
    if (walk.index >= walk.input.insns.size())
      return walk.reject(EFAULT, "invalid insn idx {} insn_cnt {}", walk.index, walk.input.insns.size());
    if (++stats.insns_processed > isa::kMaxInsns)
      return walk.reject(E2BIG, "BPF program is too large. Processed {} insn", stats.insns_processed);
    show(walk, is_new_path ? &entered : nullptr);
    is_new_path = false;
    TRY_VOID(step(walk));
    walk.index = walk.next;
    if (!walk.ended) continue;
    is_new_path = enter_fork(walk, entered);
    if (!is_new_path) break;
  }
  if (!walk.log.shows_all_paths()) walk.log.take_back(0);
  return {};
}

// Rules this verifier does not know yet, so that no verdict is given in their absence.
Checked check_circumstances(Walk& walk) {
  const spec::VerifyInput& input = walk.input;
  if (input.insns.empty() || input.insns.size() > isa::kMaxInsns) return walk.reject(E2BIG, "");
  if (!input.rights.bpf || !input.rights.perfmon) return walk.unsupported("programs of unprivileged users");
  constexpr std::uint32_t known = spec::kStrictAlignment | spec::kAnyAlignment | spec::kTestRegInvariants;
  if (input.flags & ~known) return walk.unsupported("program flags {:#x}", input.flags & ~known);
  return {};
}

Checked check(Walk& walk, spec::VerifyStats& stats) {
  TRY_VOID(check_subprograms(walk));
  TRY_VOID(check_constants(walk));
  TRY_VOID(check_flow(walk));
  if (walk.rules != Rules::Linux612) compute_liveness(walk);
  return explore(walk, stats);
}

void summarize(Walk& walk, const spec::VerifyStats& stats, std::chrono::steady_clock::time_point start) {
  if (walk.log.shows_statistics()) {
    const auto spent = std::chrono::steady_clock::now() - start;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(spent).count();
    walk.log.line(fmt::format("verification time {} usec", micros));
    walk.log.line(fmt::format("stack depth {}", stats.stack_depth));
  }
  walk.log.line(
      fmt::format("processed {} insns (limit {}) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
                  stats.insns_processed, isa::kMaxInsns));
}

}  // namespace

Verdict verify(const spec::VerifyInput& input, Rules rules) {
  const auto start = std::chrono::steady_clock::now();
  Walk walk(input, rules);
  Verdict verdict{std::unexpected(spec::Rejection{}), {}, {}};
  if (auto fit = check_circumstances(walk); !fit) {
    verdict.result = std::unexpected(std::move(fit).error());
    walk.log.line(verdict.result.error().message);
    verdict.log = walk.log.take();
    return verdict;
  }
  auto outcome = check(walk, verdict.stats);
  verdict.stats.stack_depth = walk.deepest;
  if (!outcome && !outcome.error().message.empty()) walk.log.line(outcome.error().message);
  summarize(walk, verdict.stats, start);
  verdict.log = walk.log.take();
  if (outcome)
    verdict.result = spec::VerifiedProgram{{input.insns.begin(), input.insns.end()}, verdict.stats};
  else
    verdict.result = std::unexpected(std::move(outcome).error());
  return verdict;
}

}  // namespace skep::verifier
