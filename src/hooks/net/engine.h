// One way to run a packet program, as the hooks and the judge see it.
//
// Packets come in batches, so that the call and the clock cost little each; the outcomes stay valid until the next
// batch. Packets are Ethernet frames; raw IP gets a header first (ethernet.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace skep::hooks::net {

struct Outcome {
  enum class State : std::uint8_t {
    Ran,
    Stopped,  // by the engine: why says what the program did
    Unfit,    // the engine takes no such packet: why says what it takes
  };
  State state = State::Ran;
  std::uint32_t verdict = 0;
  Bytes packet;  // as the program left it, XDP metadata first
  std::size_t metadata_bytes = 0;
  Bytes context;  // struct xdp_md or __sk_buff as PROG_TEST_RUN gives it back; empty from engines that do not say
  std::string why;
};

struct Totals {
  std::uint64_t runs = 0;
  std::uint64_t nanoseconds = 0;   // of the runs, without copying packets
  std::uint64_t instructions = 0;  // 0: not counted
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const noexcept = 0;
  // Runs the program once on each packet, in order. Both have the same length, at most kBatch.
  virtual void run(std::span<const Bytes> packets, std::span<Outcome> outcomes) = 0;
  const Totals& totals() const noexcept { return totals_; }

  static constexpr std::size_t kBatch = 64;

 protected:
  Totals totals_;
};

}  // namespace skep::hooks::net
