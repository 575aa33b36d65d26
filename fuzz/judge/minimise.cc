#include "judge/minimise.h"

#include <algorithm>
#include <chrono>

#include "isa/op.h"
#include "judge/edit.h"

namespace skep::judge {
namespace {

class Minimiser {
 public:
  Minimiser(const Court& court, Program program)
      : court_(court), program_(std::move(program)), judgement_(court.judge(program_)) {}

  Program run() {
    try_other([](Program& program) { program.flags &= ~std::uint32_t{3}; });
    for (std::size_t run : {std::size_t{64}, std::size_t{16}, std::size_t{4}}) take_out(run);
    while (take_out(2) || take_out(1)) continue;
    simplify();
    return std::move(program_);
  }

 private:
  static constexpr auto kPatience = std::chrono::seconds(2);

  // Keeps what `change` makes of the program if the disagreement stays.
  template <class Change>
  bool try_other(Change change) {
    if (std::chrono::steady_clock::now() > deadline_) return false;
    Program other = program_;
    change(other);
    if (other.insns.empty() || !is_same_disagreement(court_.judge(other))) return false;
    program_ = std::move(other);
    return true;
  }

  // Sentences that differ in their numbers alone have the signature of two that agree.
  bool is_same_disagreement(const Judgement& other) const {
    return other.agreement() == judgement_.agreement() && other.signature() == judgement_.signature();
  }

  // Whether something could be taken out, from the end on.
  bool take_out(std::size_t run) {
    bool done = false;
    for (std::size_t end = program_.insns.size(); end >= run; end = std::min(end - 1, program_.insns.size())) {
      const std::size_t start = end - run;
      if (isa::decode(program_.insns[start]) == isa::Op::Invalid) continue;  // a second slot
      std::size_t count = 0;
      while (count < run) count += slots_at(program_, start + count);
      done |= try_other([&](Program& program) { erase(program, start, count); });
      if (end == run) break;
    }
    return done;
  }

  void simplify() {
    for (std::size_t i = 0; i < program_.insns.size(); i += slots_at(program_, i)) {
      const isa::Op op = isa::decode(program_.insns[i]);
      const bool has_number = (isa::form_info(op).fields & isa::kImm) != 0 && isa::slots(op) == 1 && !isa::is_call(op);
      if (!has_number || program_.insns[i].imm == 0) continue;
      if (!try_other([&](Program& program) { program.insns[i].imm = 0; }))
        try_other([&](Program& program) { program.insns[i].imm = 1; });
    }
  }

  const Court& court_;
  Program program_;
  Judgement judgement_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::now() + kPatience;
};

}  // namespace

Program minimised(const Court& court, Program program) { return Minimiser(court, std::move(program)).run(); }

}  // namespace skep::judge
