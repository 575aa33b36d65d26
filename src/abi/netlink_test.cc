// Descriptors in messages to rtnetlink, whole and broken.
#include "abi/netlink.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include <vector>

namespace skep::abi {
namespace {

using Buffer = std::vector<std::byte>;

template <class T>
void append(Buffer& to, const T& value) {
  const Bytes bytes = bytes_of(value);
  to.insert(to.end(), bytes.begin(), bytes.end());
}

Buffer attribute(std::uint16_t type, const Buffer& inside) {
  Buffer made;
  append(made, nlattr{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + inside.size()), .nla_type = type});
  made.insert(made.end(), inside.begin(), inside.end());
  made.resize(round_up(made.size(), 4));
  return made;
}

Buffer number(int value) {
  Buffer made;
  append(made, value);
  return made;
}

Buffer message(std::uint16_t type, std::size_t fixed, std::initializer_list<Buffer> attributes) {
  Buffer body(fixed);
  for (const Buffer& one : attributes) body.insert(body.end(), one.begin(), one.end());
  Buffer made;
  append(made, nlmsghdr{.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + body.size()),
                        .nlmsg_type = type,
                        .nlmsg_flags = 0,
                        .nlmsg_seq = 1,
                        .nlmsg_pid = 0});
  made.insert(made.end(), body.begin(), body.end());
  return made;
}

Buffer joined(const Buffer& a, const Buffer& b) {
  Buffer made = a;
  made.insert(made.end(), b.begin(), b.end());
  return made;
}

Buffer xdp(int fd) {
  const Buffer inside = joined(attribute(IFLA_XDP_FLAGS, number(2)), attribute(IFLA_XDP_FD, number(fd)));
  return message(RTM_SETLINK, sizeof(ifinfomsg),
                 {attribute(IFLA_IFNAME, Buffer(3)), attribute(IFLA_XDP | NLA_F_NESTED, inside)});
}

TEST(Netlink, DescriptorsOfPrograms) {
  EXPECT_EQ(attached_by(xdp(7)), 7);
  const Buffer filter =
      message(RTM_NEWTFILTER, sizeof(tcmsg),
              {attribute(TCA_KIND, Buffer(4)), attribute(TCA_OPTIONS, attribute(TCA_BPF_FD, number(9)))});
  EXPECT_EQ(attached_by(filter), 9);
  const Buffer other =
      message(RTM_GETLINK, sizeof(ifinfomsg), {attribute(IFLA_XDP, attribute(IFLA_XDP_FD, number(5)))});
  EXPECT_EQ(attached_by(other), std::nullopt);
  EXPECT_EQ(attached_by(joined(other, xdp(11))), 11);
  const Buffer plain = message(RTM_SETLINK, sizeof(ifinfomsg), {attribute(IFLA_MTU, number(1500))});
  EXPECT_EQ(attached_by(plain), std::nullopt);
  EXPECT_EQ(attached_by({}), std::nullopt);
}

TEST(Netlink, BrokenMessagesNameNothing) {
  const Buffer whole = xdp(7);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Buffer part(whole.begin(),
                      whole.begin() + static_cast<std::ptrdiff_t>(size));  // its own, so that reads past it show
    EXPECT_EQ(attached_by(part), std::nullopt) << size;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0, 1, 3, 255}) {
      Buffer broken = whole;
      broken[at] = static_cast<std::byte>(value);
      attached_by(broken);  // comes to an end
    }
  }
}

}  // namespace
}  // namespace skep::abi
