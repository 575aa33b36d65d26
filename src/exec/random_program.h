// Random programs that every engine must run alike: all instructions, several functions, calls, helpers and callbacks,
// and no access outside their stack and a given buffer. For tests and fuzz targets.
//
// What engines may do differently is never looked at: registers and stack are written before they are read, and r1 to
// r5 again after each call. Loops may be endless: whoever runs a program gives it a budget first.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "exec/call.h"
#include "isa/op.h"
#include "spec/uapi.h"

namespace skep::exec::testing {

// Bodies of the two helpers that random programs call: one that mixes its arguments, and bpf_loop.
inline constexpr std::int32_t kMixHelper = 5, kLoopHelper = 181;
inline std::uint64_t mix_body(Call&, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                              std::uint64_t e) noexcept {
  return a ^ b * 3 ^ c * 5 ^ d * 7 ^ e * 11;
}
inline std::uint64_t loop_body(Call& call, std::uint64_t count, std::uint64_t function, std::uint64_t context,
                               std::uint64_t flags, std::uint64_t) noexcept {
  if (flags != 0) return static_cast<std::uint64_t>(-EINVAL);
  if (static_cast<std::uint32_t>(count) > spec::kMaxLoops) return static_cast<std::uint64_t>(-E2BIG);
  std::uint64_t i = 0;
  while (i < static_cast<std::uint32_t>(count))
    if (call.callback(call, function, i++, context, 0, 0, 0) != 0) break;
  return i;
}

class RandomProgram {
 public:
  // The buffer that programs may touch, which r9 points to the middle of, and 8 registers of the stack.
  static constexpr std::int16_t kBuffer = 512, kStack = 64;
  using Random = std::function<std::uint32_t()>;

  RandomProgram(Random random, std::uint64_t buffer) : random_(std::move(random)), middle_(buffer + kBuffer / 2) {}

  std::vector<isa::Insn> make() {
    const std::size_t functions = 1 + pick(4);
    starts_.assign(functions, 0);
    for (std::size_t i = 0; i < functions; ++i) function(i, functions);
    for (const auto& [at, callee] : calls_)
      insns_[at].imm = static_cast<std::int32_t>(starts_[callee]) - static_cast<std::int32_t>(at) - 1;
    return std::move(insns_);
  }

 private:
  using Form = isa::Form;
  using Insn = isa::Insn;
  using Op = isa::Op;
  static constexpr std::uint8_t kBase = 9;

  std::uint32_t pick(std::uint32_t below) { return random_() % below; }
  std::uint8_t any_register() { return static_cast<std::uint8_t>(pick(9)); }
  std::int32_t immediate() {
    static constexpr std::int32_t kEdges[] = {0, 1, -1, 2, 3, 8, 31, 32, 63, 64, 255, -128, 65535, 0x7fffffff};
    return pick(2) != 0 ? kEdges[pick(std::size(kEdges))] : static_cast<std::int32_t>(random_());
  }
  Insn made(Op op, unsigned dst, unsigned src, std::int16_t off, std::int32_t imm) {
    Insn insn = isa::encode(op);
    insn.dst = dst & 0xfU;
    if (isa::info(op).select != isa::Select::Src) insn.src = src & 0xfU;
    if (isa::info(op).select != isa::Select::Off) insn.off = off;
    if (isa::info(op).select != isa::Select::Imm) insn.imm = imm;
    if ((isa::stray_fields(op, insn) & isa::kDst) != 0) insn.dst = 0;
    if ((isa::stray_fields(op, insn) & isa::kSrc) != 0) insn.src = 0;
    if ((isa::stray_fields(op, insn) & isa::kImm) != 0) insn.imm = 0;
    return insn;
  }
  void add(Op op, unsigned dst, unsigned src = 0, std::int16_t off = 0, std::int32_t imm = 0) {
    insns_.push_back(made(op, dst, src, off, imm));
  }
  void add_wide(std::uint8_t dst, std::uint64_t value) {
    add(Op::LdImm64, dst, 0, 0, static_cast<std::int32_t>(value));
    insns_.push_back({.imm = static_cast<std::int32_t>(value >> 32)});
  }

  void function(std::size_t which, std::size_t functions) {
    starts_[which] = insns_.size();
    const bool frame = pick(4) != 0;
    for (int slot = 1; frame && slot <= kStack / 8; ++slot)
      add(Op::StoreImm64, 10, 0, static_cast<std::int16_t>(-8 * slot), immediate());
    for (const std::uint8_t reg : std::to_array<std::uint8_t>({0, 6, 7, 8}))
      if (which == 0 || reg == 0 || pick(2) != 0) {
        add(Op::Mov64Imm, reg, 0, 0, immediate());
        writable_[reg] = true;
      } else {
        writable_[reg] = false;  // the caller's: left alone
      }
    for (std::uint8_t reg = 1; reg < 6; ++reg) {
      writable_[reg] = true;
      if (which == 0) add(Op::Mov64Imm, reg, 0, 0, immediate());
    }
    add_wide(kBase, middle_);
    const std::size_t first = insns_.size(), end = first + 4 + pick(40);
    while (insns_.size() < end) instruction(which, functions, frame);
    for (std::uint8_t reg = 1; reg < 9; ++reg) {
      if (!writable_[reg]) continue;
      add(Op::Mul64Imm, 0, 0, 0, 31);
      add(Op::Add64Reg, 0, reg);
    }
    add(Op::Exit, 0);
    aim_jumps(first);
  }

  std::uint8_t usable() {
    for (;;)
      if (const std::uint8_t reg = any_register(); writable_[reg]) return reg;
  }

  void instruction(std::size_t which, std::size_t functions, bool frame) {
    const Op op = static_cast<Op>(1 + pick(isa::kOps - 1));
    switch (isa::form(op)) {
      case Form::AluImm:
      case Form::AluReg:
      case Form::MovImm:
      case Form::MovReg:
      case Form::AluUnary:
      case Form::JumpImm:
      case Form::JumpReg: return add(op, usable(), usable(), 0, immediate());
      case Form::LoadImm64: return add_wide(usable(), std::uint64_t{random_()} << 32 | random_());
      case Form::Load:
      case Form::LoadSx:
      case Form::LoadAcquire:
      case Form::StoreImm:
      case Form::StoreReg:
      case Form::StoreRelease:
      case Form::Atomic:
      case Form::AtomicFetch:
      case Form::AtomicCmpXchg: return access(op, frame);
      case Form::Goto:
      case Form::GotoLong:
      case Form::MayGoto: return add(op, 0);
      case Form::CallHelper: return call(which, functions);
      case Form::CallReg:
        add(Op::Mov64Imm, 7, 0, 0, kMixHelper);
        if (!writable_[7]) return insns_.pop_back();
        add(op, 7);
        return forget_arguments();
      case Form::CallLocal:
        if (which + 1 == functions) return;
        calls_.emplace_back(insns_.size(), which + 1 + pick(static_cast<std::uint32_t>(functions - which - 1)));
        add(op, 0);
        return forget_arguments();
      case Form::Invalid:
      case Form::CastAddrSpace:
      case Form::PacketAbs:
      case Form::PacketInd:
      case Form::CallKfunc:
      case Form::Exit: return;
    }
  }

  void access(Op op, bool frame) {
    const bool from =
        isa::form(op) == Form::Load || isa::form(op) == Form::LoadSx || isa::form(op) == Form::LoadAcquire;
    const bool on_stack = frame && pick(2) != 0;
    const auto bytes = static_cast<int>(isa::access_bytes(op));
    const int room = on_stack ? kStack : kBuffer;
    int offset =
        static_cast<int>(pick(static_cast<std::uint32_t>(room - bytes + 1))) - (on_stack ? kStack : kBuffer / 2);
    if (isa::is_atomic(op)) offset &= ~7;
    const unsigned base = on_stack ? 10 : kBase;
    add(op, from ? usable() : base, from ? base : usable(), static_cast<std::int16_t>(offset), immediate());
  }

  void call(std::size_t which, std::size_t functions) {
    if (which + 1 < functions && pick(2) != 0) {
      add(Op::And64Imm, 1, 0, 0, 3);  // mostly few times and no flags
      if (pick(8) != 0) add(Op::Mov64Imm, 4, 0, 0, 0);
      calls_.emplace_back(insns_.size(), which + 1 + pick(static_cast<std::uint32_t>(functions - which - 1)));
      add(Op::LdFunc, 2);
      insns_.push_back({});
      add(Op::CallHelper, 0, 0, 0, kLoopHelper);
    } else {
      add(Op::CallHelper, 0, 0, 0, kMixHelper);
    }
    forget_arguments();
  }
  void forget_arguments() {
    for (std::uint8_t reg = 1; reg < 6; ++reg) add(Op::Mov64Imm, reg, 0, 0, immediate());
  }

  // Mostly forward, at instructions of the function's body. What prepares a call and what follows it stay together.
  void aim_jumps(std::size_t first) {
    std::vector<std::size_t> places;
    std::size_t hidden = first;  // up to where nothing is a target
    for (std::size_t i = first; i < insns_.size(); i += isa::slots(isa::decode(insns_[i]))) {
      const Op op = isa::decode(insns_[i]);
      if (i >= hidden || isa::is_jump(op)) places.push_back(i);
      if (op == Op::LdFunc) hidden = i + 3;
      if (isa::is_call(op)) hidden = i + 6;
    }
    for (std::size_t n = 0; n < places.size(); ++n) {
      const Op op = isa::decode(insns_[places[n]]);
      if (!isa::is_jump(op)) continue;
      const std::size_t lowest = pick(5) != 0 ? std::min(n + 1, places.size() - 1) : 0;
      const std::size_t target = places[lowest + pick(static_cast<std::uint32_t>(places.size() - lowest))];
      const auto distance = static_cast<std::int32_t>(target) - static_cast<std::int32_t>(places[n]) - 1;
      if (op == Op::GotoLong)
        insns_[places[n]].imm = distance;
      else
        insns_[places[n]].off = static_cast<std::int16_t>(distance);
    }
  }

  Random random_;
  std::uint64_t middle_;
  std::vector<Insn> insns_;
  std::vector<std::size_t> starts_;
  std::vector<std::pair<std::size_t, std::size_t>> calls_;  // the instruction, and the function it names
  bool writable_[kBase] = {};
};

}  // namespace skep::exec::testing
