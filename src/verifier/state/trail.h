// The steps of the path that is being walked, for whoever explains a rejection afterwards.
//
// Paths are walked newest first, so that a path that ends is continued from an older one's fork: the steps up to that
// fork are those of the next path, too, and the trail is a stack that is cut there (Fork::trail_size). Each step keeps
// the frames as they were before it, shared with the states: a step costs the copy of the one frame it writes. Of long
// paths the oldest steps keep their instruction only (kKept). Without a trail (Walk::trail is null, as nearly always)
// a step costs one comparison. Tested by: verifier/explain/explain_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "verifier/state/state.h"

namespace skep::verifier {

class Trail {
 public:
  static constexpr std::size_t kKept = std::size_t{1} << 14;  // steps with frames

  struct Step {
    std::uint32_t insn = 0;
    std::vector<FrameRef> frames;  // before it, the current one last; none when they were given up

    bool is_known() const noexcept { return !frames.empty(); }
    unsigned top() const noexcept { return static_cast<unsigned>(frames.size()) - 1; }
  };

  void add(std::size_t insn, const State& state) {
    steps_.push_back({static_cast<std::uint32_t>(insn), {state.frames.begin(), state.frames.begin() + state.top + 1}});
    if (steps_.size() > kKept) steps_[steps_.size() - kKept - 1].frames = {};
  }
  void cut(std::size_t size) { steps_.resize(size); }

  std::size_t size() const noexcept { return steps_.size(); }
  const Step& operator[](std::size_t at) const noexcept { return steps_[at]; }

 private:
  std::vector<Step> steps_;
};

}  // namespace skep::verifier
