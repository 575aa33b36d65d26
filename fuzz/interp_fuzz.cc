// links: skep_interp
// Arbitrary bytes as a program: whatever the door lets through runs under the checked policy, within a budget, on
// memory of its own, and must end with a result or a failure that can be told.
//
// Input: a byte whose bits choose the context (memory, XDP, socket buffer), then instructions.
#include <algorithm>
#include <array>
#include <cstring>

#include "exec/doors.h"
#include "exec/failure.h"
#include "exec/quiet_host.h"
#include "interp/interp.h"
#include "packet/sk_buff.h"
#include "packet/xdp_buff.h"

namespace {

using namespace skep;

class Nothing final : public exec::QuietHost, public exec::Bindings {
 public:
  using exec::QuietHost::map;
  maps::Map* map(spec::MapId) const override { return nullptr; }
  exec::HelperBody helper(std::uint32_t id) const noexcept override {
    return id == 181 ? loop : id % 3 ? fill : nullptr;
  }

 private:
  static std::uint64_t loop(exec::Call& call, std::uint64_t count, std::uint64_t function, std::uint64_t context,
                            std::uint64_t, std::uint64_t) noexcept {
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(count, 100); ++i)
      if (call.callback(call, function, i, context, 0, 0, 0)) break;
    return 0;
  }
  static std::uint64_t fill(exec::Call&, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                            std::uint64_t) noexcept {
    return 0;
  }
};

void run(const exec::Source& source, exec::ContextKind kind, void* context, std::uint32_t bytes) {
  auto image = exec::assume_verified(source, kind, "fuzzing");
  if (!image) return;
  Nothing nothing;
  const auto program =
      interp::bind(std::make_shared<const exec::Image>(*std::move(image)), nothing, interp::Policy::Checked);
  if (!program) return;
  exec::Failure failure;
  exec::Call call{nothing};
  call.program = program->get();
  call.context = context;
  call.context_bytes = bytes;
  call.budget = 10'000;
  call.failure = &failure;
  (*program)->run(call);
  if (call.stopped && failure.text().empty()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  exec::Source source;
  source.name = "fuzzed";
  source.insns.resize(std::min<std::size_t>((size - 1) / sizeof(isa::Insn), 512));
  if (!source.insns.empty()) std::memcpy(source.insns.data(), data + 1, source.insns.size() * sizeof(isa::Insn));

  std::array<std::byte, 128> frame{};
  if (data[0] % 3 == 0) return run(source, exec::ContextKind::Memory, frame.data(), frame.size()), 0;
  if (data[0] % 3 == 1) {
    packet::XdpBuff xdp;
    xdp.data = xdp.data_meta = frame.data() + 16;
    xdp.data_end = frame.data() + 80;
    source.type = spec::ProgType::Xdp;
    return run(source, exec::ContextKind::XdpBuff, &xdp, sizeof xdp), 0;
  }
  packet::SkBuff skb;
  skb.head = frame.data();
  skb.data = skb.data_meta = frame.data() + 16;
  skb.data_end = frame.data() + 80;
  skb.end = frame.data() + frame.size();
  skb.len = 64;
  source.type = data[0] % 2 ? spec::ProgType::SchedCls : spec::ProgType::SocketFilter;
  run(source, exec::ContextKind::SkBuff, &skb, sizeof skb);
  return 0;
}
