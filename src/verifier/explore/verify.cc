#include "verifier/explore/verify.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "verifier/explore/explore.h"
#include "verifier/facts/facts.h"
#include "verifier/finish/finish.h"
#include "verifier/prepare/prepare.h"
#include "verifier/step/call.h"
#include "verifier/step/walk.h"

namespace skep::verifier {
namespace {

// Global functions that someone called are verified by themselves, and those that they call.
Checked explore_globals(Walk& walk) {
  for (bool more = true; more;) {
    more = false;
    for (std::uint32_t i = 1; i < walk.subprogs.size(); ++i) {
      if (!walk.subprogs[i].is_global || !walk.subprogs[i].is_called || walk.subprogs[i].is_verified) continue;
      TRY_VOID(explore(walk, i));
      if (walk.log.shows_walk())
        walk.say("Func#{} ('{}') is safe for any args that match its prototype", i, walk.subprogs[i].name);
      walk.subprogs[i].is_verified = true;
      more = true;
    }
  }
  return {};
}

Checked check(Walk& walk, spec::VerifiedProgram& program) {
  TRY_VOID(prepare(walk));
  TRY_VOID(explore(walk, 0));
  TRY_VOID(explore_globals(walk));
  TRY_VOID(finish(walk, program));
  return check_absent_kfuncs(walk);
}

std::string stack_depths(const Walk& walk) {
  std::string text;
  for (const Subprog& subprog : walk.subprogs)
    text += fmt::format("{}{}", text.empty() ? "" : "+", subprog.stack_depth);
  return text;
}

void summarize(Walk& walk, std::chrono::steady_clock::time_point start) {
  if (walk.log.shows_statistics()) {
    const auto spent = std::chrono::steady_clock::now() - start;
    walk.say("verification time {} usec", std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
    walk.say("stack depth {}", stack_depths(walk));
  }
  walk.say("processed {} insns (limit {}) max_states_per_insn {} total_states {} peak_states {} mark_read {}",
           walk.stats.insns_processed, isa::kMaxInsns, walk.stats.max_states_per_insn, walk.stats.total_states,
           walk.stats.peak_states, walk.stats.longest_mark_read_walk);
}

}  // namespace

Verdict verify(const spec::VerifyInput& input, Rules rules, Recorder* recorder, Explored* explored) {
  const auto start = std::chrono::steady_clock::now();
  Walk walk(input, rules);
  walk.explored = explored;
  if (recorder != nullptr) walk.trail = std::make_unique<Trail>();
  Verdict verdict{std::unexpected(spec::Rejection{}), {}, {}};
  spec::VerifiedProgram program;
  const Checked outcome = check(walk, program);
  walk.stats.insns_processed = walk.insns_processed;
  for (const Subprog& subprog : walk.subprogs)
    walk.stats.stack_depth = std::max(walk.stats.stack_depth, subprog.stack_depth);
  if (!outcome && !walk.rejection->message.empty()) walk.log.line(walk.rejection->message);
  summarize(walk, start);
  verdict.stats = walk.stats;
  verdict.log_size = walk.log.size();
  verdict.log = walk.log.take();
  verdict.duration = std::chrono::steady_clock::now() - start;
  if (!outcome && recorder != nullptr) recorder->rejected(walk, verdict.log);
  if (outcome) {
    program.facts = std::make_shared<const spec::Facts>(find_facts(input, program));
    program.stats = walk.stats;
    program.enforces_attach_type = walk.enforces_attach_type;
    program.read_buffer_end = static_cast<std::uint32_t>(walk.max_read_buffer_end);
    program.write_buffer_end = static_cast<std::uint32_t>(walk.max_write_buffer_end);
    verdict.result = std::move(program);
  } else {
    verdict.result = std::unexpected(*std::move(walk.rejection));
  }
  return verdict;
}

TargetVerdict check_extension(const spec::VerifyInput& input, const spec::TargetFunction& main) {
  Walk walk(input, Rules::Linux612);
  if (input.btf != nullptr && input.btf->has(main.type_id)) walk.funcs.push_back({0, main.type_id});
  walk.subprogs.emplace_back().changes_packet = main.changes_packet;
  if (!check_target(walk)) return std::unexpected(*std::move(walk.rejection));
  return {};
}

}  // namespace skep::verifier
