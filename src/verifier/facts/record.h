// Writes down the states of the facts pass as spec::Facts, block by block in program order. Tested by:
// verifier/facts/facts_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "spec/facts.h"
#include "spec/verify.h"
#include "verifier/facts/state.h"

namespace skep::verifier {

spec::Numbers numbers_of(const Number& number) noexcept;

class FactRecorder {
 public:
  FactRecorder(const spec::VerifyInput& input, const Values& values, std::size_t insns);

  void start(std::size_t insn, const FlowState& state);
  void next(std::size_t insn, const FlowState& state);
  void second_slot(std::size_t insn);
  spec::Facts take() { return std::move(facts_); }

 private:
  std::uint32_t fact_of(ValueId id);
  void claim(std::size_t insn, spec::Facts::Reach reach);

  const spec::VerifyInput& input_;
  const Values& values_;
  spec::Facts facts_;
  std::vector<std::uint32_t> fact_of_;           // by value; 0 where it is not written yet, or unknown
  std::array<ValueId, isa::kRegisters> said_{};  // of each register, in this block
};

}  // namespace skep::verifier
