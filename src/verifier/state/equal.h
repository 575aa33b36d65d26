// Whether a checkpoint subsumes a state: whatever the program may do from the state was seen to be safe from the
// checkpoint.
//
// What nobody read behind the checkpoint does not matter, nor does the value of a number whose value never mattered.
// Ids need not be equal but must correspond: one map of old to new ids serves a whole comparison. RangeWithin compares
// also what was not read (marks in an unfinished loop are not complete), Exact wants equal numbers (an endless loop).
// Cost: linear in registers and slots, no allocation. Source: the observable algorithm of Linux 6.12.
// Tested by: verifier/state/equal_test.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "verifier/state/checkpoint.h"

namespace skep::verifier {

enum class Exactness : std::uint8_t { NotExact, RangeWithin, Exact };

// Correspondence of ids between two states.
class IdMap {
 public:
  // Starts anew; ids above `last` serve for numbers that have none.
  void reset(std::uint32_t last) noexcept {
    pairs_.clear();
    spare_ = last;
  }
  // Both have an id and they correspond, or neither has.
  bool matches(std::uint32_t old_id, std::uint32_t new_id);
  // The same for numbers, where having none is an id that nobody else has.
  bool matches_scalar(std::uint32_t old_id, std::uint32_t new_id) {
    const std::uint32_t was = old_id != 0 ? old_id : ++spare_;
    return matches(was, new_id != 0 ? new_id : ++spare_);
  }

 private:
  struct Pair {
    std::uint32_t old_id, new_id;
  };
  std::vector<Pair> pairs_;
  std::uint32_t spare_ = 0;
};

struct CompareRules {
  bool reads_uninit_stack;  // bytes nobody wrote are as good as any
  bool all_precise;         // of the unprivileged every number matters
  bool exact_scalars;       // ranges are what pointer masks were made from
};

class Comparison {
 public:
  Comparison(const CompareRules& rules, IdMap& ids) noexcept : rules_(rules), ids_(ids) {}

  // The states, up to what was read and mattered.
  bool subsumes(const Checkpoint& old, const State& now, std::uint32_t last_id, Exactness exactness);
  // Equal in everything but ids, which correspond.
  bool same(const Register& old, const Register& now) { return exact(old, now); }

 private:
  struct Seen {  // of a register of the checkpoint
    bool read;
    bool precise;
  };
  bool sections(const State& old, const State& now);
  bool frames(const Checkpoint& old, const State& now, unsigned index, Exactness exactness);
  bool registers(const Checkpoint& old, const State& now, unsigned index, Exactness exactness);
  bool stack(const Checkpoint& old, const State& now, unsigned index, Exactness exactness);
  bool slot(const Slot& old, const Slot* now, Seen seen, Exactness exactness);
  bool slot_bytes(const Slot& old, const Slot& now) const;
  bool slot_contents(const Slot& old, const Slot& now, Seen seen, Exactness exactness);
  bool references(const State& old, const State& now);
  bool safe(const Register& old, const Register& now, Seen seen, Exactness exactness);
  bool scalar(const Register& old, const Register& now, Seen seen, Exactness exactness);
  bool exact(const Register& old, const Register& now);
  const Register* as_scalar(const Slot& slot) const noexcept;

  const CompareRules rules_;
  IdMap& ids_;
};

}  // namespace skep::verifier
