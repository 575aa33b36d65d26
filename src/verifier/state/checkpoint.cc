#include "verifier/state/checkpoint.h"

#include <algorithm>

namespace skep::verifier {

Checkpoint* Checkpoints::add(std::size_t insn, const State& state) {
  Checkpoint* made;
  if (free_.empty()) {
    made = all_.emplace_back(memory_.new_object<Checkpoint>());
  } else {
    made = free_.back();
    free_.pop_back();
    *made = Checkpoint{};
  }
  made->state = state;
  made->insn = static_cast<std::uint32_t>(insn);
  Checkpoint*& head = list(insn, state.frame().callsite);
  made->next = head;
  ++held_;
  return head = made;
}

void Checkpoints::drop(Checkpoint** link) {
  Checkpoint* dropped = *link;
  *link = dropped->next;
  if (!dropped->is_cleaned || dropped->is_loop_entry) return;
  dropped->state = State{};
  free_.push_back(dropped);
  --held_;
}

void Checkpoints::clear() {
  for (Checkpoint* checkpoint : all_) memory_.delete_object(checkpoint);
  all_.clear();
  free_.clear();
  held_ = 0;
  std::ranges::fill(lists_, nullptr);
}

}  // namespace skep::verifier
