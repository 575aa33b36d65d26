// Helpers with arguments that mean nothing: formats, numbers, packet operations one after the other.
// links: skep_helpers skep_exec
//
// The input's first byte chooses; the rest is a format and its arguments, a number, or a packet and a list of
// calls of 11 bytes each. Beyond memory safety: a packet stays inside its allocation and its length is that of its
// bytes.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "fuzz_input.h"
#include "helpers/format.h"
#include "helpers/number.h"
#include "packet/sk_ops.h"
#include "packet/test_run.h"
#include "packet/xdp_ops.h"

namespace {

using namespace skep;
using fuzz::Input;

void require(bool holds) {
  if (!holds) std::abort();
}

void format(Input input) {
  std::array<std::uint64_t, helpers::kMaxFormatArguments> arguments{};
  static const char text[] = "some text";
  const std::size_t count = input.take<std::uint8_t>() % (arguments.size() + 1);
  for (std::size_t i = 0; i < count; ++i) {
    arguments[i] = input.take<std::uint64_t>();
    if (arguments[i] % 4 == 1) arguments[i] = reinterpret_cast<std::uint64_t>(&text[arguments[i] / 4 % sizeof text]);
  }
  const std::size_t room = input.take<std::uint8_t>();
  const Bytes rest = input.rest();
  const std::string_view spec(reinterpret_cast<const char*>(rest.data()), rest.size());
  const auto out = std::make_unique<char[]>(room);
  const std::span<const std::uint64_t> given(arguments.data(), count);
  const std::int64_t cut = helpers::format_text({out.get(), room}, spec, given);
  require(cut == helpers::format_text({}, spec, given));
  require(cut < 0 || room == 0 || std::find(out.get(), out.get() + room, '\0') != out.get() + room);
}

void number(Input input) {
  const auto flags = input.take<std::uint8_t>();
  const Bytes text = input.rest();
  std::int64_t value = 0;
  std::uint64_t magnitude = 0;
  require(helpers::read_signed(text, flags, value) <= static_cast<std::int64_t>(text.size()));
  require(helpers::read_unsigned(text, flags, magnitude) <= static_cast<std::int64_t>(text.size()));
}

void skb_step(packet::SkBuff& skb, Input& input) {
  const auto what = input.take<std::uint8_t>();
  const auto a = input.take<std::uint32_t>();
  const auto b = input.take<std::uint32_t>();
  const auto flags = input.take<std::uint16_t>() & (what & 0x80 ? 0x1ffU : 0xfU);
  std::array<std::byte, 64> memory{};
  const MutableBytes some = std::span(memory).first(b % 65);
  switch (what % 16) {
    case 0: packet::load_bytes(skb, a, some); return;
    case 1: packet::load_bytes_relative(skb, a, some, flags % 3); return;
    case 2: packet::store_bytes(skb, a % 300, some, flags % 5); return;
    case 3: packet::change_head(skb, a % 20000, 0); return;
    case 4: packet::change_tail(skb, a % 20000, 0); return;
    case 5: packet::change_proto(skb, static_cast<std::uint16_t>(a & 1 ? 0x0008 : 0xdd86), 0); return;
    case 6: packet::adjust_room(skb, static_cast<std::int32_t>(a) % 5000, b % 3, flags); return;
    case 7: packet::adjust_room(skb, static_cast<std::int32_t>(a) % 60, b % 2, flags | std::uint64_t{a} << 56); return;
    case 8: packet::vlan_push(skb, static_cast<std::uint16_t>(a), static_cast<std::uint16_t>(b)); return;
    case 9: packet::vlan_pop(skb); return;
    case 10: packet::l3_csum_replace(skb, a % 300, b, flags, flags); return;
    case 11: packet::l4_csum_replace(skb, a % 300, b, flags, flags); return;
    case 12: packet::csum_level(skb, a % 5); return;
    case 13: packet::csum_update(skb, a); return;
    case 14: packet::clear_hash(skb); return;
    default: packet::hash_recalc(skb); return;
  }
}

void skb(Input input) {
  static packet::Frame frame;
  packet::SkBuff skb;
  const auto setup = input.take<std::uint8_t>();
  const auto type = setup & 1 ? spec::ProgType::SchedCls : spec::ProgType::LwtXmit;
  const Bytes bytes = input.take(input.take<std::uint8_t>());
  const std::uint32_t flags = setup & 2 ? packet::kSkbChecksumComplete : 0;
  if (packet::begin(skb, frame, bytes, nullptr, type, flags) != 0) return;
  if (setup & 4) skb.gso_size = 100, skb.gso_type = setup >> 4;
  while (!input.empty()) {
    skb_step(skb, input);
    require(skb.head <= skb.data && skb.data <= skb.data_end && skb.data_end <= skb.end);
    require(skb.len == static_cast<std::size_t>(skb.data_end - skb.data));
    require(skb.data + std::min(0, skb.mac_offset) >= skb.head);
  }
  Bytes out;
  packet::finish(skb, nullptr, type, flags, out);
}

void xdp(Input input) {
  static packet::Frame frame;
  packet::XdpBuff xdp;
  const Bytes seed = input.take(16);
  const std::vector<std::byte> bytes(input.take<std::uint16_t>(), seed.empty() ? std::byte{0} : seed[0]);
  if (packet::begin(xdp, frame, bytes, nullptr) != 0) return;
  while (!input.empty()) {
    const auto what = input.take<std::uint8_t>();
    const auto offset = what & 0x80 ? input.take<std::int32_t>() : input.take<std::int16_t>();
    std::array<std::byte, 64> memory{};
    switch (what % 5) {
      case 0: packet::adjust_head(xdp, offset); break;
      case 1: packet::adjust_meta(xdp, offset); break;
      case 2: packet::adjust_tail(xdp, offset); break;
      case 3: packet::load_bytes(xdp, static_cast<std::uint32_t>(offset), memory); break;
      default: packet::store_bytes(xdp, static_cast<std::uint32_t>(offset), memory); break;
    }
    require(xdp.data_hard_start <= xdp.data_meta && xdp.data_meta <= xdp.data && xdp.data + 14 <= xdp.data_end);
    require(xdp.data_end <= xdp.data_hard_end && (xdp.frags_end == nullptr || xdp.frags_end > xdp.data_end));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Input input(std::as_bytes(std::span(data + 1, size - 1)));
  switch (data[0] % 4) {
    case 0: format(input); break;
    case 1: number(input); break;
    case 2: skb(input); break;
    default: xdp(input); break;
  }
  return 0;
}
