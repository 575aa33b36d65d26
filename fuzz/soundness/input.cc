#include "soundness/input.h"

#include <algorithm>

namespace skep::soundness {
namespace {

using spec::ContextKind;

constexpr std::size_t kDrawn = 256;  // bytes of a plain context that are drawn each time

std::uint32_t bytes_of(ContextKind kind) {
  std::uint32_t end = 0;
  for (const spec::ContextField& field : spec::fields(kind)) end = std::max(end, field.offset + field.bytes);
  return end;
}

}  // namespace

bool has_context(spec::ProgType type) {
  const ContextKind kind = spec::context_of(type);
  if (kind == ContextKind::Xdp || kind == ContextKind::SkBuff) return type != spec::ProgType::FlowDissector;
  if (type == spec::ProgType::RawTracepointWritable) return false;  // its numbers are addresses
  return kind != ContextKind::None &&
         std::ranges::all_of(spec::fields(kind), [](const auto& f) { return f.kind == spec::FieldKind::Scalar; });
}

void Input::draw(spec::ProgType type, exec::ContextKind kind, Draw& draw, exec::Call& call) {
  point(type, kind, call);
  switch (kind) {
    case exec::ContextKind::XdpBuff: return draw_xdp(draw);
    case exec::ContextKind::SkBuff: return draw_skb(draw);
    case exec::ContextKind::Memory:
      return draw.fill(std::span(plain_).first(std::min<std::size_t>(call.context_bytes, kDrawn)));
  }
}

void Input::point(spec::ProgType type, exec::ContextKind kind, exec::Call& call) noexcept {
  switch (kind) {
    case exec::ContextKind::XdpBuff: call.context = &xdp_; return;
    case exec::ContextKind::SkBuff: call.context = &skb_; return;
    case exec::ContextKind::Memory:
      call.context = plain_.data();
      call.context_bytes =
          static_cast<std::uint32_t>(std::min<std::size_t>(bytes_of(spec::context_of(type)), plain_.size()));
      return;
  }
}

void Input::draw_xdp(Draw& draw) {
  const std::size_t length = 14 + draw.below(kLongest - 13);
  const std::size_t metadata = draw.below(4) == 0 ? 4 * draw.below(9) : 0;
  std::byte* const data = frame_.data() + kHeadroom;
  draw.fill({data - metadata, length + metadata});
  xdp_ = {};
  xdp_.data = data;
  xdp_.data_end = data + length;
  xdp_.data_meta = data - metadata;
  xdp_.data_hard_start = frame_.data();
  xdp_.data_hard_end = frame_.data() + frame_.size();
  xdp_.ingress_ifindex = static_cast<std::uint32_t>(draw.number());
  xdp_.rx_queue_index = static_cast<std::uint32_t>(draw.number());
}

void Input::draw_skb(Draw& draw) {
  const std::size_t length = draw.below(kLongest + 1);
  std::byte* const data = frame_.data() + kHeadroom;
  draw.fill({data, length});
  skb_ = {};
  skb_.data = skb_.data_meta = data;
  skb_.data_end = data + length;
  skb_.head = frame_.data();
  skb_.end = frame_.data() + frame_.size();
  skb_.len = skb_.wire_len = static_cast<std::uint32_t>(length);
  for (std::uint32_t* field : {&skb_.pkt_type, &skb_.mark, &skb_.queue_mapping, &skb_.protocol, &skb_.vlan_tci,
                               &skb_.priority, &skb_.ingress_ifindex, &skb_.ifindex, &skb_.tc_index, &skb_.hash,
                               &skb_.tc_classid, &skb_.napi_id, &skb_.gso_segs, &skb_.family, &skb_.remote_ip4})
    *field = static_cast<std::uint32_t>(draw.number());
  for (std::uint32_t& word : skb_.cb) word = static_cast<std::uint32_t>(draw.number());
  skb_.mac_len = packet::kEthernetHeader;
  skb_.network_offset = static_cast<std::int32_t>(packet::kEthernetHeader);
}

}  // namespace skep::soundness
