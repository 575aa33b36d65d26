// Packets through BPF_PROG_TEST_RUN, one call each: the running kernel, or a hive seen from outside.
//
// A program runs here as a test run has it (loopback interface; socket filters see the packet from the network header
// on), and packet, context and return value come back. Times are the test run's own `duration`. Threads: one. Cost: a
// system call a packet. Tested by: hooks/net/test_run_test.cc.
#pragma once

#include <functional>
#include <vector>

#include "hooks/net/engine.h"
#include "hooks/net/verdict.h"
#include "spec/attr.h"

namespace skep::hooks::net {

class TestRun final : public Engine {
 public:
  // bpf(command, attr): a value or a negative errno.
  using Bpf = std::function<long(int command, spec::Attr& attr)>;
  // Why the last call failed, when there is more to say than its errno; may be empty.
  using Why = std::function<std::string()>;

  TestRun(std::string name, int program, Hook hook, Bpf bpf, Why why)
      : name_(std::move(name)), program_(program), hook_(hook), bpf_(std::move(bpf)), why_(std::move(why)) {}

  std::string_view name() const noexcept override { return name_; }
  void run(std::span<const Bytes> packets, std::span<Outcome> outcomes) override;

 private:
  void run_one(std::size_t slot, Bytes packet, Outcome& outcome);

  std::string name_;
  int program_;
  Hook hook_;
  Bpf bpf_;
  Why why_;
  struct Room {
    std::vector<std::byte> packet, context;
  };
  std::vector<Room> rooms_;
};

}  // namespace skep::hooks::net
