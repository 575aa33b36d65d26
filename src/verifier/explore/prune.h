// At a point where paths meet: was this state seen to be safe before? If not, is it worth keeping?
//
// visit() compares the current state with the checkpoints of its instruction, newest first. A checkpoint that subsumes
// it ends the path; what the checkpoint's future read and what mattered to it is then marked on the way here, too. A
// state is kept after 8 instructions and 2 jumps since the last, more rarely in loops. Checkpoints that do not help are
// dropped. The same state again on one path is an endless loop. Source: the observable algorithm of Linux 6.12.
// Tested by: verifier/explore/verify_test.cc, verifier/explore/loops_test.cc.
#pragma once

#include "verifier/state/equal.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

class Pruner {
 public:
  explicit Pruner(Walk& walk) noexcept;

  enum class Visit : std::uint8_t { New, Seen };
  // The walk comes to the prune point walk.index. Seen: the path ends here.
  CheckedOf<Visit> visit();
  // One path from the current state ended.
  void path_ended();
  void forget() { since_jumps_ = since_insns_ = 0; }

 private:
  enum class Match : std::uint8_t { None, Hit, EndlessLoop };
  bool wants_checkpoint(bool forced) const;
  bool in_async_reentry(const State& old) const;
  CheckedOf<Match> match_open(Checkpoint& old);  // one whose paths have not all ended
  bool iterator_is_active() const;
  Match match_done(Checkpoint& old);
  bool subsumes(const Checkpoint& old, Exactness exactness);
  bool may_be_looping(const State& old) const;
  bool iterators_differ(const State& old) const;
  std::unexpected<Rejected> endless(const Checkpoint& old);
  Checked adopt(Checkpoint& old);
  void adopt_reads(const Checkpoint& old);
  Checked adopt_precision(const Checkpoint& old);
  void clean(Checkpoint& old) const;
  bool is_useless(const Checkpoint& old) const;
  void keep();
  void drop(Checkpoint** link);

  Walk& walk_;
  CompareRules rules_;
  IdMap ids_;
  std::uint32_t since_jumps_ = 0, since_insns_ = 0;  // counts when the last checkpoint was kept
};

}  // namespace skep::verifier
