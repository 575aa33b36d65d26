#include "verifier/facts/facts.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "verifier/facts/blocks.h"
#include "verifier/facts/record.h"
#include "verifier/facts/transfer.h"

namespace skep::verifier {
namespace {

using isa::Form;
using isa::Op;

// Visits of a loop head before it is widened; of any block, for the sake of cycles through calls.
constexpr std::uint32_t kExactVisits = 2, kMostExactVisits = 32;

// The blocks that are still to be visited, lowest first.
class Pending {
 public:
  explicit Pending(std::size_t blocks) : bits_((blocks + 63) / 64) {}
  void add(FlowBlock block) noexcept {
    bits_[block / 64] |= std::uint64_t{1} << (block % 64);
    first_ = std::min(first_, block / 64);
  }
  std::optional<FlowBlock> take() noexcept {
    while (first_ < bits_.size() && bits_[first_] == 0) ++first_;
    if (first_ == bits_.size()) return std::nullopt;
    std::uint64_t& word = bits_[first_];
    const auto bit = static_cast<FlowBlock>(std::countr_zero(word));
    word &= word - 1;
    return first_ * 64 + bit;
  }

 private:
  std::vector<std::uint64_t> bits_;
  FlowBlock first_ = 0;
};

class Pass {
 public:
  Pass(const spec::VerifyInput& input, const spec::VerifiedProgram& program)
      : program_(program),
        blocks_(program),
        transfer_(input, program, values_),
        entries_(blocks_.size()),
        visits_(blocks_.size()),
        pending_(blocks_.size()),
        recorder_(input, values_, program.insns.size()) {}

  spec::Facts run() {
    if (blocks_.has_backward_edges()) {
      changed_ = changed_by_loops(program_.insns, blocks_);
      settle();
    }
    phase_ = Phase::Record;
    std::ranges::fill(entries_, std::nullopt);
    enter();
    for (FlowBlock block = 0; block < blocks_.size(); ++block)
      if (begin_again(block)) visit(block);
    return recorder_.take();
  }

 private:
  enum class Phase : std::uint8_t { Settle, Record };
  void settle() {
    enter();
    while (const auto block = pending_.take()) visit(*block);
  }
  void enter() {
    arrive(0, transfer_.main_entry(), Changed::all());
    for (const FlowBlock block : blocks_.called_back()) arrive(block, transfer_.callback_entry(), Changed::all());
  }
  void visit(FlowBlock block);
  void leave(Op op, std::size_t last, std::size_t end, const FlowState& state);
  void follow(std::size_t from, std::size_t to, const FlowState& state);
  void arrive(FlowBlock block, const FlowState& state, const Changed& part);
  bool begin_again(FlowBlock block);

  const spec::VerifiedProgram& program_;
  Values values_;
  Blocks blocks_;
  Transfer transfer_;
  std::vector<std::optional<FlowState>> entries_;  // of each block that was reached
  std::vector<std::uint32_t> visits_;
  std::map<FlowBlock, std::map<std::size_t, FlowState>> backward_;  // what edges carried last, by ends and starts
  std::vector<Changed> changed_;
  Pending pending_;
  FactRecorder recorder_;
  Phase phase_ = Phase::Settle;
};

void Pass::visit(FlowBlock block) {
  ++visits_[block];
  FlowState state = *entries_[block];
  std::size_t last = blocks_.begin(block);
  if (phase_ == Phase::Record) recorder_.start(last, state);
  for (std::size_t i = last; i < blocks_.end(block); ++i) {
    if (blocks_.is_second_slot(i)) {
      if (phase_ == Phase::Record) recorder_.second_slot(i);
      continue;
    }
    last = i;
    if (phase_ == Phase::Record && i != blocks_.begin(block)) recorder_.next(i, state);
    const Op op = blocks_.op(i);
    if (op == Op::CallLocal)
      follow(i, static_cast<std::size_t>(*isa::subprog_target(op, program_.insns[i], i)),
             transfer_.callee_entry(state));
    transfer_.apply(op, i, state);
  }
  leave(blocks_.op(last), last, blocks_.end(block), state);
}

// From the last instruction of a block, whose code ends at `end`.
void Pass::leave(Op op, std::size_t last, std::size_t end, const FlowState& state) {
  if (const auto target = isa::jump_target(op, program_.insns[last], last)) {
    FlowState taken = state;
    if (transfer_.refine(op, last, Side::Taken, taken)) follow(last, static_cast<std::size_t>(*target), taken);
  }
  if (isa::is_terminator(op) || end == program_.insns.size()) return;
  FlowState on = state;
  if (transfer_.refine(op, last, Side::NotTaken, on)) follow(last, end, on);
}

void Pass::follow(std::size_t from, std::size_t to, const FlowState& state) {
  const FlowBlock block = blocks_.at(to);
  if (to > from) return arrive(block, state, Changed::all());
  if (phase_ == Phase::Record) return;  // its last state was there when the block began
  backward_[block].insert_or_assign(from, state);
  arrive(block, state, changed_[block]);
}

void Pass::arrive(FlowBlock block, const FlowState& state, const Changed& part) {
  const std::uint32_t exact = blocks_.is_loop_head(block) ? kExactVisits : kMostExactVisits;
  const bool widens = phase_ == Phase::Settle && visits_[block] >= exact;
  std::optional<FlowState>& entry = entries_[block];
  const auto growth = widens ? Values::Growth::Widened : Values::Growth::Exact;
  if (entry && !entry->join(state, part, values_, growth)) return;
  if (!entry) entry = state;
  pending_.add(block);
}

// In the second visit all forward edges have come; whether any did. What comes back is what came last in the first.
bool Pass::begin_again(FlowBlock block) {
  std::optional<FlowState>& entry = entries_[block];
  if (const auto edges = backward_.find(block); edges != backward_.end())
    for (const auto& [from, state] : edges->second) arrive(block, state, changed_[block]);
  return entry.has_value();
}

}  // namespace

spec::Facts find_facts(const spec::VerifyInput& input, const spec::VerifiedProgram& program) {
  if (program.insns.empty()) return {};
  return Pass(input, program).run();
}

}  // namespace skep::verifier
