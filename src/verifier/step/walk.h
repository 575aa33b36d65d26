// One path through a program while it is verified, and what each instruction does to it.
//
// A Walk holds the current state, the log, and the forks still to be visited. step() applies one instruction: one
// function per group of forms, in alu.cc, memory.cc, jump.cc and call.cc. It either leaves the state and sets `next`,
// or rejects with Linux's errno and sentence, in the order in which Linux looks. What has no transfer function yet is
// refused by unsupported(), never let through. Tested by: verifier/explore/verify_test.cc.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <utility>
#include <vector>

#include "base/result.h"
#include "isa/op.h"
#include "spec/verify.h"
#include "verifier/state/frame.h"
#include "verifier/step/log.h"

namespace skep::verifier {

using Checked = std::expected<void, spec::Rejection>;

// A side of a branch that is visited later.
struct Fork {
  Frame frame;
  std::size_t insn;      // where it goes on
  std::size_t from;      // the jump
  std::size_t log_size;  // when it was left
};

inline constexpr std::size_t kMaxForks = 8192;

struct Walk {
  Walk(const spec::VerifyInput& what, Rules followed)
      : input(what), rules(followed), log(what.log_level, followed), accessed(what.insns.size(), Kind::Unset) {}

  const spec::VerifyInput& input;
  const Rules rules;
  Log log;
  Frame frame;
  Changes changes = Changes::all();
  std::size_t index = 0;  // of the current instruction
  std::size_t next = 0;   // of the one to go on with
  bool ended = false;     // the program's end was reached
  std::vector<Fork> forks;
  std::vector<Kind> accessed;                 // by instruction: what kind of pointer it has accessed memory by
  std::vector<isa::RegisterSet> live_before;  // by instruction; only where the rules ask for it
  std::uint32_t last_id = 0;
  unsigned deepest = 0;  // bytes of stack

  Register& reg(unsigned number) noexcept { return frame.registers[number]; }

  template <class... Args>
  std::unexpected<spec::Rejection> reject(int code, fmt::format_string<Args...> format, Args&&... args) const {
    return std::unexpected(spec::Rejection{code, index, fmt::format(format, std::forward<Args>(args)...)});
  }
  template <class... Args>
  std::unexpected<spec::Rejection> unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    return reject(EOPNOTSUPP, "not supported yet: {}", fmt::format(format, std::forward<Args>(args)...));
  }

  // The operand's register can be read; the destination's can be written.
  Checked check_read(unsigned number);
  Checked check_write(unsigned number);
  void set(unsigned number, Register value) noexcept {
    value.written = true;
    reg(number) = value;
  }
  // A scalar that is about to be copied needs an id, unless it is a constant.
  void link(Register& source) noexcept;
  // Gives up the ranges of a scalar that contradicts itself, as Linux does; an error when the loader asked for one.
  Checked settle(Register& value, std::string_view where);
};

Checked step(Walk& walk);  // the instruction at walk.index

// By group of forms.
Checked step_alu(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_load_constant(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_load(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_store(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_jump(Walk& walk, isa::Op op, const isa::Insn& insn);
Checked step_call(Walk& walk, const isa::Insn& insn);
Checked step_exit(Walk& walk, const isa::Insn& insn);

}  // namespace skep::verifier
