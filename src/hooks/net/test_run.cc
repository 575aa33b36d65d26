#include "hooks/net/test_run.h"

#include <fmt/format.h>

#include <cstring>

#include "packet/xdp_buff.h"
#include "spec/commands.h"
#include "spec/uapi.h"

namespace skep::hooks::net {
namespace {

// What programs may add to a packet, generously; a result that does not fit is ENOSPC and said so.
constexpr std::size_t kGrowth = 4096;

std::uint64_t address(const std::byte* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }

std::size_t context_bytes(Hook hook) noexcept {
  return hook == Hook::Xdp ? sizeof(spec::XdpMd) : sizeof(spec::SkBuffMd);
}

// Asks for the context afterwards. That of an XDP program has to say where the packet ends when it goes in; one that is
// longer than a frame's linear part goes without.
void set_context(spec::AttrTest& test, Hook hook, std::size_t packet_bytes, MutableBytes context) noexcept {
  if (hook == Hook::Xdp) {
    if (packet_bytes > packet::kXdpLinear) return;
    spec::XdpMd md{};
    md.data_end = static_cast<std::uint32_t>(packet_bytes);
    store(context.data(), md);
    test.ctx_in = address(context.data());
    test.ctx_size_in = sizeof md;
  }
  test.ctx_out = address(context.data());
  test.ctx_size_out = static_cast<std::uint32_t>(context.size());
}

}  // namespace

void TestRun::run(std::span<const Bytes> packets, std::span<Outcome> outcomes) {
  if (rooms_.size() < packets.size()) rooms_.resize(packets.size());
  for (std::size_t i = 0; i < packets.size(); ++i) run_one(i, packets[i], outcomes[i]);
}

void TestRun::run_one(std::size_t slot, Bytes packet, Outcome& outcome) {
  Room& room = rooms_[slot];
  room.packet.resize(std::max(room.packet.size(), packet.size() + kGrowth));
  room.context.assign(context_bytes(hook_), std::byte{0});
  spec::Attr attr{};
  attr.test.prog_fd = static_cast<std::uint32_t>(program_);
  attr.test.data_in = address(packet.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(packet.size());
  attr.test.data_out = address(room.packet.data());
  attr.test.data_size_out = static_cast<std::uint32_t>(room.packet.size());
  set_context(attr.test, hook_, packet.size(), room.context);
  attr.test.repeat = 1;
  const long result = bpf_(static_cast<int>(spec::Command::ProgTestRun), attr);
  outcome.why.clear();
  if (result < 0) {
    outcome.why = why_ ? why_() : "";
    outcome.state = outcome.why.empty() ? Outcome::State::Unfit : Outcome::State::Stopped;
    if (outcome.why.empty()) {
      outcome.why = fmt::format("a test run takes no packet of {} bytes ({})", packet.size(),
                                std::strerror(static_cast<int>(-result)));
    }
    return;
  }
  ++totals_.runs;
  totals_.nanoseconds += attr.test.duration;
  outcome.state = Outcome::State::Ran;
  outcome.verdict = attr.test.retval;
  outcome.packet = Bytes(room.packet).first(std::min<std::size_t>(room.packet.size(), attr.test.data_size_out));
  outcome.context = attr.test.ctx_out != 0 ? Bytes(room.context) : Bytes();
  outcome.metadata_bytes = hook_ == Hook::Xdp ? load<spec::XdpMd>(room.context.data()).data : 0;
}

}  // namespace skep::hooks::net
