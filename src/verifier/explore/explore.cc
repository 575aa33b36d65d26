#include "verifier/explore/explore.h"

#include <algorithm>

#include "verifier/explore/explored.h"
#include "verifier/explore/prune.h"
#include "verifier/step/call.h"
#include "verifier/step/print_insn.h"
#include "verifier/step/source_line.h"

namespace skep::verifier {
namespace {

class Explorer {
 public:
  explicit Explorer(Walk& walk) : walk_(walk), pruner_(walk) {}

  Checked run(std::uint32_t subprog);

 private:
  enum class Path : std::uint8_t { Goes, Ended };
  Checked start(std::uint32_t subprog);
  CheckedOf<Path> one();
  CheckedOf<Path> at_prune_point();
  void show();
  std::string_view speculation() const { return walk_.state.speculative ? " (speculative execution)" : ""; }
  bool next_path();
  void account();

  Walk& walk_;
  Pruner pruner_;
  bool shows_path_ = false;  // the path is a new one, or came back from a function
};

Checked Explorer::start(std::uint32_t subprog) {
  Frame first;
  first.subprog = subprog;
  walk_.state = State{};
  walk_.state.frames[0] = FrameRef(walk_.pool, first);
  walk_.state.may_sleep = (walk_.input.flags & spec::kSleepable) != 0;
  walk_.index = walk_.subprogs[subprog].start;
  walk_.previous = State::kNoInsn;
  walk_.ended = false;
  walk_.changes = Changes::all();
  if (walk_.trail) walk_.trail->cut(0);
  walk_.state.first_insn = static_cast<std::uint32_t>(walk_.index);
  return start_function(walk_, subprog);
}

// The log at the start of a step: the path when it is a new one, what the last step changed, the instruction.
void Explorer::show() {
  if (!walk_.log.shows_walk()) return;
  if (shows_path_ && walk_.log.shows_all_paths()) {
    walk_.log.part(
        fmt::format("\nfrom {} to {}{}:", static_cast<std::int32_t>(walk_.previous), walk_.index, speculation()));
    walk_.log.frame(walk_.state, walk_.state.top);
    shows_path_ = false;
  }
  if (walk_.changes.any()) walk_.log.changes(walk_.index, walk_.state, walk_.changes);
  walk_.changes = {};
  show_source_line(walk_, walk_.index);
  walk_.log.insn(walk_.index, text_of(walk_, walk_.index));
}

CheckedOf<Explorer::Path> Explorer::at_prune_point() {
  TRY(const Pruner::Visit visit, pruner_.visit());
  if (visit == Pruner::Visit::New) return Path::Goes;
  if (walk_.log.shows_walk()) {
    if (shows_path_)
      walk_.say("\nfrom {} to {}{}: safe", static_cast<std::int32_t>(walk_.previous), walk_.index, speculation());
    else
      walk_.say("{}: safe", walk_.index);
  }
  return Path::Ended;
}

CheckedOf<Explorer::Path> Explorer::one() {
  const std::size_t size = walk_.input.insns.size();
  walk_.noted_history = false;
  if (walk_.index >= size) return walk_.reject(EFAULT, "invalid insn idx {} insn_cnt {}", walk_.index, size);
  if (++walk_.insns_processed > isa::kMaxInsns)
    return walk_.reject(E2BIG, "BPF program is too large. Processed {} insn", walk_.insns_processed);
  walk_.state.last_insn = static_cast<std::uint32_t>(walk_.previous);
  if (walk_.trail) walk_.trail->add(walk_.index, walk_.state);
  if (walk_.insn_info().is_prune_point) {
    TRY(const Path path, at_prune_point());
    if (path == Path::Ended) return path;
  }
  if (walk_.insn_info().is_jump_point) walk_.note_jump();
  show();
  const unsigned depth = walk_.state.top;
  TRY_VOID(step(walk_));
  if (walk_.state.top < depth) shows_path_ = true;
  walk_.previous = walk_.index;
  walk_.index = walk_.next;
  return walk_.ended ? Path::Ended : Path::Goes;
}

// At log level 1 the path just finished is no longer of interest.
bool Explorer::next_path() {
  pruner_.path_ended();
  if (walk_.forks.empty()) return false;
  Fork& fork = walk_.forks.back();
  walk_.state = std::move(fork.state);
  walk_.index = fork.insn;
  walk_.previous = fork.from;
  if (!walk_.log.shows_all_paths()) walk_.log.take_back(fork.log_size);
  if (walk_.trail) walk_.trail->cut(fork.trail_size);
  walk_.forks.pop_back();
  walk_.changes = Changes::all();
  walk_.ended = false;
  shows_path_ = true;
  return true;
}

void Explorer::account() {
  walk_.stats.peak_states = walk_.checkpoints.held();
  walk_.stats.peak_bytes =
      std::max(walk_.stats.peak_bytes, walk_.pool.bytes() + walk_.checkpoints.bytes() + walk_.histories.bytes() +
                                           walk_.forks.capacity() * sizeof(Fork));
  walk_.forks.clear();
  walk_.checkpoints.clear();
  walk_.histories.clear();
}

Checked Explorer::run(std::uint32_t subprog) {
  TRY_VOID(start(subprog));
  for (;;) {
    auto path = one();
    if (!path) {
      account();
      return std::unexpected(path.error());
    }
    if (*path == Path::Ended && !next_path()) break;
  }
  if (walk_.explored != nullptr) walk_.explored->gather(walk_);
  account();
  if (walk_.trail) walk_.trail->cut(0);
  if (!walk_.log.shows_all_paths()) walk_.log.take_back(0);
  return {};
}

}  // namespace

Checked explore(Walk& walk, std::uint32_t subprog) { return Explorer(walk).run(subprog); }

}  // namespace skep::verifier
