// How deep the stack gets: every chain of calls that the code could make, whether or not a path made it. What is below
// a function depends on how deep it is entered only, so that each is looked at once for each such way.
#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "verifier/finish/finish.h"
#include "verifier/prepare/callee.h"
#include "verifier/prepare/code.h"

namespace skep::verifier {
namespace {

using isa::Insn;

// What compiled code rounds frames to.
constexpr std::uint32_t kFrameGranularity = 16;
// With this much below it a function cannot be left by a tail call: 33 of them must fit 8 KiB.
constexpr std::uint32_t kMostBeforeTailCall = 256;

std::uint32_t rounded(const Subprog& subprog) {
  return static_cast<std::uint32_t>(round_up(subprog.stack_depth, kFrameGranularity));
}

class Depth {
 public:
  explicit Depth(Walk& walk) : walk_(walk) {}

  // All chains that begin with subprogram `root`.
  Checked check(std::uint32_t root) {
    TRY_VOID(enter(root));
    while (!calls_.empty()) {
      Call& call = calls_.back();
      if (call.next == subprog(call).end) {
        leave();
        continue;
      }
      walk_.index = call.next++;
      TRY_VOID(look_at(walk_.insn()));
    }
    return {};
  }

 private:
  struct Call {
    std::uint32_t subprog;
    std::size_t next;  // instruction to look at
  };
  Subprog& subprog(const Call& call) { return walk_.subprogs[call.subprog]; }

  Checked enter(std::uint32_t which) {
    const Subprog& entered = walk_.subprogs[which];
    reaches_tail_call_ |= !calls_.empty() && entered.has_tail_call;
    if (calls_.size() >= isa::kMaxFrames)
      return walk_.reject(E2BIG, "the call stack of {} frames is too deep !", calls_.size());
    if (which != 0 && entered.has_tail_call && depth_ >= kMostBeforeTailCall)
      return walk_.reject(
          EACCES, "tail_calls are not allowed when call stack of previous frames is {} bytes. Too large", depth_);
    const bool in_callback = std::ranges::any_of(calls_, [&](Call& call) { return subprog(call).is_callback; });
    if (!seen_.emplace(which, calls_.size(), depth_, in_callback).second) return {};
    calls_.push_back({which, entered.start});
    depth_ += rounded(entered);
    if (depth_ <= isa::kStackBytes) return {};
    return walk_.reject(EACCES, "combined stack size of {} calls is {}. Too large", calls_.size(), depth_);
  }

  void leave() {
    depth_ -= rounded(subprog(calls_.back()));
    calls_.pop_back();
    if (!reaches_tail_call_) return;
    for (const Call& call : calls_) subprog(call).tail_call_reachable = true;
  }

  Checked look_at(const Insn& insn) {
    if (code::is_call(insn, code::kKfunc)) return check_throw(insn);
    const bool calls = code::is_call(insn, code::kLocal);
    if (!calls && !code::names_function(insn)) return {};
    const auto start = static_cast<std::size_t>(code::function(insn, walk_.index));
    const auto callee = walk_.subprog_at(start);
    if (!callee) return walk_.reject(EFAULT, "verifier bug. No program starts at insn {}", start);
    const Subprog& called = walk_.subprogs[*callee];
    if (called.is_async_callback) {
      if (called.has_tail_call) return walk_.reject(EFAULT, "verifier bug. subprog has tail_call and async cb");
      if (!calls) return {};  // has a stack of its own
      if (called.is_exception_callback)
        return walk_.reject(EINVAL, "insn {} cannot call exception cb directly", walk_.index);
    }
    return enter(*callee);
  }

  Checked check_throw(const Insn& insn) {
    if (kfunc_name(walk_, insn) != "bpf_throw") return {};
    for (const Call& call : calls_)
      if (subprog(call).is_callback)
        return walk_.reject(EINVAL, "bpf_throw kfunc (insn {}) cannot be called from callback subprog {}", walk_.index,
                            calls_.back().subprog);
    return {};
  }

  Walk& walk_;
  std::vector<Call> calls_;
  std::set<std::tuple<std::uint32_t, std::size_t, std::uint32_t, bool>> seen_;  // subprogram, and how it was entered
  std::uint32_t depth_ = 0;
  bool reaches_tail_call_ = false;
};

}  // namespace

Checked check_stack_depth(Walk& walk) {
  for (std::uint32_t i = 0; i < walk.subprogs.size(); ++i)
    if (i == 0 || walk.subprogs[i].is_async_callback) TRY_VOID(Depth(walk).check(i));
  return {};
}

}  // namespace skep::verifier
