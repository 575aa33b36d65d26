// States that are kept: where paths meet again, and what lies on the way back.
//
// A checkpoint is a state frozen at a prune point. Later paths that come to the same instruction in a state it subsumes
// need not go on. It is also the parent of the states that went on from it: marks of reading and of precision climb
// along parents. Checkpoints lie in as many lists as the program has instructions, chosen by instruction and call site
// as Linux does (its counts show in the log). Histories are chains of entries in one arena; index 0 is none.
// Source: the observable algorithm of Linux 6.12. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "base/stable_vector.h"

#include "verifier/state/state.h"

namespace skep::verifier {

struct Checkpoint {
  Checkpoint* next = nullptr;  // in its list
  std::uint32_t insn = 0;
  std::uint32_t hits = 0, misses = 0;
  bool is_cleaned = false;     // what nobody read is forgotten
  bool is_loop_entry = false;  // of some other state
  State state;
};

class Checkpoints {
 public:
  explicit Checkpoints(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
  ~Checkpoints() { clear(); }
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  void resize(std::size_t insns) { lists_.assign(insns, nullptr); }
  // The list for this instruction in frames called from `callsite`; newest first.
  Checkpoint*& list(std::size_t insn, std::int32_t callsite) noexcept {
    return lists_[(static_cast<std::uint32_t>(insn) ^ static_cast<std::uint32_t>(callsite)) % lists_.size()];
  }
  Checkpoint* add(std::size_t insn, const State& state);
  // Takes the checkpoint out of its list. It is forgotten only if no later state can climb to it.
  void drop(Checkpoint** link);
  std::uint32_t held() const noexcept { return held_; }
  std::size_t bytes() const noexcept { return all_.size() * sizeof(Checkpoint); }
  void clear();
  // Those that are in a list: dropped ones are not.
  template <class Function>
  void for_each(Function function) const {
    for (const Checkpoint* checkpoint : lists_)
      for (; checkpoint != nullptr; checkpoint = checkpoint->next) function(*checkpoint);
  }

 private:
  std::vector<Checkpoint*> lists_;
  std::pmr::polymorphic_allocator<> memory_;
  std::vector<Checkpoint*> all_, free_;
  std::uint32_t held_ = 0;
};

class Histories {
 public:
  explicit Histories(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : entries_(memory) {}

  const HistoryEntry& operator[](std::uint32_t index) const noexcept { return entries_[index - 1]; }
  HistoryEntry& at(std::uint32_t index) noexcept { return entries_[index - 1]; }
  std::uint32_t add(const HistoryEntry& entry) {
    entries_.push_back(entry);
    return static_cast<std::uint32_t>(entries_.size());
  }
  bool is_newest(std::uint32_t index) const noexcept { return index == entries_.size() && index > sealed_; }
  // What was added up to now is shared with another path and must not change.
  void seal() noexcept { sealed_ = static_cast<std::uint32_t>(entries_.size()); }
  void clear() { entries_.clear(), sealed_ = 0; }
  std::size_t bytes() const noexcept { return entries_.bytes(); }

 private:
  StableVector<HistoryEntry, 256> entries_;
  std::uint32_t sealed_ = 0;
};

}  // namespace skep::verifier
