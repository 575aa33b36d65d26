#include "hooks/net/direct.h"

#include <fmt/format.h>

#include <chrono>
#include <cstring>

#include "packet/test_run.h"

namespace skep::hooks::net {

void DirectRun::run(std::span<const Bytes> packets, std::span<Outcome> outcomes) {
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const int error = place(slots_[i], packets[i]);
    outcomes[i].state = error == 0 ? Outcome::State::Ran : Outcome::State::Unfit;
    outcomes[i].why.clear();
    if (error == 0) continue;
    outcomes[i].why = packets[i].size() < packet::kTestRunMin
                          ? fmt::format("a packet of {} bytes has no room for an Ethernet header", packets[i].size())
                          : fmt::format("a packet of {} bytes: {}", packets[i].size(), std::strerror(-error));
  }
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (outcomes[i].state == Outcome::State::Ran) enter(slots_[i]);
  }
  const auto spent = std::chrono::steady_clock::now() - start;
  totals_.nanoseconds += static_cast<std::uint64_t>(std::chrono::nanoseconds(spent).count());
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (outcomes[i].state == Outcome::State::Ran) finish(slots_[i], outcomes[i]);
  }
}

int DirectRun::place(Slot& slot, Bytes packet) {
  if (is_xdp()) {
    slot.xdp = {};
    return packet::begin(slot.xdp, slot.frame, packet, nullptr);
  }
  slot.skb = {};
  const int error = packet::prepare(slot.skb, slot.frame, packet, program_.code->image().type);
  slot.skb.wire_len = slot.skb.len;
  return error;
}

void DirectRun::enter(Slot& slot) {
  exec::Call call(hive_.host());
  call.context = is_xdp() ? static_cast<void*>(&slot.xdp) : &slot.skb;
  call.context_bytes = is_xdp() ? sizeof slot.xdp : sizeof slot.skb;
  call.budget = kBudget;
  call.failure = &slot.failure;
  slot.verdict = hive_.run(program_, call);
  slot.stopped = call.stopped;
  ++totals_.runs;
  totals_.instructions += kBudget - call.budget;
}

void DirectRun::finish(Slot& slot, Outcome& outcome) {
  outcome.verdict = static_cast<std::uint32_t>(slot.verdict);
  outcome.metadata_bytes = 0;
  if (is_xdp()) {
    outcome.packet = packet::finish(slot.xdp, nullptr);
    if (slot.xdp.data_meta < slot.xdp.data)
      outcome.metadata_bytes = static_cast<std::size_t>(slot.xdp.data - slot.xdp.data_meta);
  } else if (packet::finish(slot.skb, nullptr, program_.code->image().type, 0, outcome.packet) != 0) {
    outcome.packet = {};
  }
  if (!slot.stopped) return;
  outcome.state = Outcome::State::Stopped;
  outcome.why = slot.failure.text();
}

}  // namespace skep::hooks::net
