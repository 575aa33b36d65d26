// What one side's map may hold, for kinds whose order is their own and for those that evict or err.
//
// The kernel's hashes walk in an order that nobody promises, so that two of them answer a walk, or a batch, rightly and
// differently; LRU maps choose their victims, and a bloom filter may say yes. Such answers are not compared with the
// other side's but with everything that was done on the same side: an element has the value last written, nothing is
// met twice, and nothing is missing that cannot have been evicted. Threads: one. Tested by:
// map_judge/map_judge_test.cc.
#pragma once

#include <map>
#include <string>

#include "map_judge/material.h"
#include "map_judge/sequence.h"
#include "map_judge/side.h"

namespace skep::map_judge {

class Model {
 public:
  Model(const Sequence& sequence, const Material& material, bool evicts)
      : sequence_(sequence), material_(material), evicts_(evicts) {}

  // Why this cannot be the answer; empty: it can, and what follows from it is known from now on.
  std::string judge(const Operation& operation, const Answer& answer);
  bool may_hold(const Blob& key) const { return may_.contains(key); }
  void forget(const Blob& key) { may_.erase(key); }
  void forget_all() { may_.clear(); }

 private:
  enum class Extent : std::uint8_t { Part, All };
  std::string wrote(const Blob& key, const Blob& value, std::uint64_t flags, long result);
  std::string read(const Blob& key, const Answer& answer);
  std::string erased(const Blob& key, long result);
  std::string showed(const std::vector<Element>& elements, Extent extent);
  std::string next(const Operation& operation, const Answer& answer) const;
  std::string changed_many(const Operation& operation, const Answer& answer);

  const Sequence& sequence_;
  const Material& material_;
  const bool evicts_;
  std::map<Blob, Blob> may_;
};

}  // namespace skep::map_judge
