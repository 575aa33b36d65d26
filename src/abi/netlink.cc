#include "abi/netlink.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace skep::abi {
namespace {

// Where a message of a type says it: behind its fixed part an attribute, and in that the one with the descriptor.
struct Place {
  std::uint16_t message;
  std::size_t fixed;  // bytes
  std::uint16_t outer, inner;
};
constexpr std::array kPlaces = {Place{RTM_NEWLINK, sizeof(ifinfomsg), IFLA_XDP, IFLA_XDP_FD},
                                Place{RTM_SETLINK, sizeof(ifinfomsg), IFLA_XDP, IFLA_XDP_FD},
                                Place{RTM_NEWTFILTER, sizeof(tcmsg), TCA_OPTIONS, TCA_BPF_FD}};

constexpr std::size_t aligned(std::size_t bytes) noexcept { return round_up(bytes, NLMSG_ALIGNTO); }

Bytes behind(Bytes bytes, std::size_t size) noexcept { return bytes.subspan(std::min(bytes.size(), aligned(size))); }

// What the attribute of this type holds; nothing where there is none.
std::optional<Bytes> attribute(Bytes attributes, std::uint16_t type) noexcept {
  while (attributes.size() >= sizeof(nlattr)) {
    const auto head = load<nlattr>(attributes.data());
    if (head.nla_len < sizeof head || head.nla_len > attributes.size()) return std::nullopt;
    if ((head.nla_type & NLA_TYPE_MASK) == type) return attributes.first(head.nla_len).subspan(sizeof head);
    attributes = behind(attributes, head.nla_len);
  }
  return std::nullopt;
}

}  // namespace

std::optional<int> attached_by(Bytes messages) noexcept {
  while (messages.size() >= sizeof(nlmsghdr)) {
    const auto head = load<nlmsghdr>(messages.data());
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > messages.size()) return std::nullopt;
    const Bytes body = messages.first(head.nlmsg_len).subspan(sizeof head);
    const auto place = std::ranges::find(kPlaces, head.nlmsg_type, &Place::message);
    if (place != kPlaces.end()) {
      const std::optional<Bytes> outer = attribute(behind(body, place->fixed), place->outer);
      const std::optional<Bytes> fd = outer ? attribute(*outer, place->inner) : std::nullopt;
      if (fd && fd->size() >= sizeof(int)) return load<int>(fd->data());
    }
    messages = behind(messages, head.nlmsg_len);
  }
  return std::nullopt;
}

}  // namespace skep::abi
