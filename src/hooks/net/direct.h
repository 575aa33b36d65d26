// Packets through a program of a hive, without bpf(2): what `skep run` measures.
//
// A batch of packets is placed in frames first and run then, so that the clock, read twice a batch, sees only programs.
// Contexts are those of a test run on the loopback interface, without its limits on size upwards.
// Threads: one. Cost: a copy of each packet, the program. Tested by: hooks/net/direct_test.cc.
#pragma once

#include <array>

#include "exec/failure.h"
#include "hive/hive.h"
#include "hooks/net/engine.h"
#include "hooks/net/verdict.h"
#include "packet/frame.h"

namespace skep::hooks::net {

// Instructions that one run may take: programs that no verifier has seen may loop for ever.
inline constexpr std::uint64_t kBudget = std::uint64_t{1} << 32;

class DirectRun final : public Engine {
 public:
  DirectRun(std::string name, hive::Hive& hive, hive::Hive::Program program)
      : name_(std::move(name)), hive_(hive), program_(std::move(program)) {}

  std::string_view name() const noexcept override { return name_; }
  void run(std::span<const Bytes> packets, std::span<Outcome> outcomes) override;

 private:
  // A packet's place in the batch.
  struct Slot {
    packet::Frame frame;
    packet::XdpBuff xdp;
    packet::SkBuff skb;
    std::uint64_t verdict = 0;
    bool stopped = false;
    exec::Failure failure;
  };
  bool is_xdp() const { return program_.code->image().context == exec::ContextKind::XdpBuff; }
  int place(Slot& slot, Bytes packet);
  void enter(Slot& slot);
  void finish(Slot& slot, Outcome& outcome);

  std::string name_;
  hive::Hive& hive_;
  hive::Hive::Program program_;
  std::array<Slot, kBatch> slots_;
};

}  // namespace skep::hooks::net
