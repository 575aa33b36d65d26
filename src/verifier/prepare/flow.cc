// Whether every instruction is reached, and where paths meet: a search through the program, depth first.
#include <algorithm>
#include <array>
#include <vector>

#include "verifier/prepare/callee.h"
#include "verifier/prepare/code.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using isa::Insn;

class Search {
 public:
  explicit Search(Walk& walk) : walk_(walk), seen_(walk.input.insns.size(), Seen::No) {}

  Checked run() {
    TRY_VOID(from(0));
    for (const Subprog& subprog : walk_.subprogs)
      if (subprog.is_exception_callback && seen_[subprog.start] == Seen::No) TRY_VOID(from(subprog.start));
    return all_reached();
  }

 private:
  enum class Seen : std::uint8_t { No, Open, Done };
  // An instruction that was reached, and how many of its edges were followed.
  struct Visit {
    std::size_t insn;
    std::size_t followed = 0;
  };
  // Fall-through, or a goto's only edge; then the branch.
  struct Edge {
    std::int64_t to = 0;
    bool is_branch = false;
  };
  struct Edges {
    std::array<Edge, 2> edge{};
    std::size_t count = 0;
    void add(Edge added) { edge[count++] = added; }
  };

  const Insn& insn(std::size_t at) const { return walk_.input.insns[at]; }
  InsnInfo& info(std::int64_t at) { return walk_.info[static_cast<std::size_t>(at)]; }
  bool is_inside(std::int64_t at) const { return at >= 0 && at < static_cast<std::int64_t>(seen_.size()); }
  void meet(std::int64_t at) {
    if (is_inside(at)) info(at).is_prune_point = info(at).is_jump_point = true;
  }

  Checked from(std::size_t start) {
    std::vector<Visit> open{{start}};
    seen_[start] = Seen::Open;
    while (!open.empty()) {
      Visit& visit = open.back();
      walk_.index = visit.insn;
      const Edges edges = edges_of(visit.insn);
      if (visit.followed == edges.count) {
        finish(visit.insn);
        open.pop_back();
        continue;
      }
      TRY(const bool is_new, follow(visit.insn, edges.edge[visit.followed++]));
      if (is_new) open.push_back({static_cast<std::size_t>(edges.edge[visit.followed - 1].to)});
    }
    return {};
  }

  CheckedOf<bool> follow(std::size_t at, Edge edge) {
    if (!is_inside(edge.to)) return walk_.reject(EINVAL, "jump out of range from insn {} to {}", at, edge.to);
    if (edge.is_branch) meet(edge.to);
    Seen& seen = seen_[static_cast<std::size_t>(edge.to)];
    if (seen == Seen::Open && !walk_.bpf_capable)
      return walk_.reject(EINVAL, "back-edge from insn {} to {}", at, edge.to);
    if (seen != Seen::No) return false;
    seen = Seen::Open;
    return true;
  }

  // Where it leads, and what is to be kept in mind about it.
  Edges edges_of(std::size_t at) {
    const Insn& insn = this->insn(at);
    const auto next = static_cast<std::int64_t>(at + code::slots(insn));
    Edges edges;
    if (insn.code == code::kExit) return edges;
    if (insn.code == code::kCall || code::names_function(insn)) return edges_of_call(at, next);
    if (code::is_goto(insn)) {
      edges.add({code::target(insn, at)});
      meet(code::target(insn, at));
      return edges;
    }
    edges.add({next});
    if (!code::is_conditional(insn)) return edges;
    walk_.info[at].is_prune_point = true;
    walk_.info[at].forces_checkpoint |= insn.code == code::kMayGoto;
    walk_.info[at].is_may_goto |= insn.code == code::kMayGoto;
    edges.add({code::target(insn, at), true});
    return edges;
  }

  Edges edges_of_call(std::size_t at, std::int64_t next) {
    const Insn& insn = this->insn(at);
    InsnInfo& info = walk_.info[at];
    const Callee callee = callee_of(walk_, insn);
    info.is_prune_point |= callee.calls_back || callee.calls_back_later || callee.is_iterator_next;
    info.calls_callback |= callee.calls_back;
    info.is_iterator_next |= callee.is_iterator_next;
    info.is_jump_point |= callee.calls_back;
    info.forces_checkpoint |= callee.calls_back || callee.is_iterator_next;
    Subprog& caller = walk_.subprogs[walk_.subprog_of(at)];
    caller.changes_packet |= callee.changes_packet;
    caller.might_sleep |= callee.might_sleep;
    Edges edges;
    edges.add({next});
    meet(next);
    if (!calls_subprogram(insn)) return edges;
    info.is_prune_point = true;
    edges.add({code::function(insn, at), true});
    return edges;
  }

  static bool calls_subprogram(const Insn& insn) {
    return code::is_call(insn, code::kLocal) || code::names_function(insn);
  }

  void finish(std::size_t at) {
    seen_[at] = Seen::Done;
    if (!calls_subprogram(insn(at))) return;
    Subprog& caller = walk_.subprogs[walk_.subprog_of(at)];
    const Subprog& callee = walk_.subprogs[walk_.subprog_of(static_cast<std::size_t>(code::function(insn(at), at)))];
    caller.changes_packet |= callee.changes_packet;
    caller.might_sleep |= callee.might_sleep;
  }

  Checked all_reached() {
    for (std::size_t at = 0; at < seen_.size(); at += code::slots(insn(at))) {
      walk_.index = at;
      if (seen_[at] != Seen::Done) return walk_.reject(EINVAL, "unreachable insn {}", at);
      if (code::is_ld_imm64(insn(at)) && seen_[at + 1] != Seen::No)
        return walk_.reject(EINVAL, "jump into the middle of ldimm64 insn {}", at);
    }
    return {};
  }

  Walk& walk_;
  std::vector<Seen> seen_;
};

}  // namespace

Checked check_flow(Walk& walk) { return Search(walk).run(); }

}  // namespace skep::verifier
