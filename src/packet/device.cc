#include "packet/device.h"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/fd.h"

namespace skep::packet {

namespace {

// Text of /sys/class/net/NAME/FILE; empty when there is none.
struct Text {
  char bytes[64] = {};
};
Text read_text(const char* name, const char* file) noexcept {
  Text text;
  char path[128];
  std::snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, file);
  const Fd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd || ::read(fd.get(), text.bytes, sizeof text.bytes - 1) < 0) text.bytes[0] = 0;
  return text;
}

std::uint32_t read_number(const char* name, const char* file) noexcept {
  return static_cast<std::uint32_t>(std::strtoul(read_text(name, file).bytes, nullptr, 10));
}

// Link types, as /sys/class/net/NAME/type gives them, whose packets begin with an Ethernet header.
bool like_ethernet(std::uint32_t type) noexcept {
  constexpr std::uint32_t kEther = 1, kLoopbackType = 772;  // ARPHRD_*
  return type == kEther || type == kLoopbackType;
}

// "02:fc:00:00:00:01"; zeros for anything else.
MacAddress parse_mac(const Text& text) noexcept {
  unsigned part[6] = {};
  MacAddress mac{};
  const int count =
      std::sscanf(text.bytes, "%2x:%2x:%2x:%2x:%2x:%2x", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5]);
  if (count != 6) return mac;
  for (std::size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<std::byte>(part[i]);
  return mac;
}

}  // namespace

std::optional<Device> device(std::uint32_t ifindex) noexcept {
  if (ifindex == kLoopback) return Device{};
  char name[IF_NAMESIZE];
  if (::if_indextoname(ifindex, name) == nullptr) return std::nullopt;
  return Device{parse_mac(read_text(name, "address")), parse_mac(read_text(name, "broadcast"))};
}

std::optional<Link> link(std::uint32_t ifindex) noexcept {
  constexpr std::uint32_t kEthernet = 14, kLoopbackMtu = 65536;
  char name[IF_NAMESIZE];
  const bool known = ::if_indextoname(ifindex, name) != nullptr;
  const std::uint32_t mtu = known ? read_number(name, "mtu") : 0;
  if (mtu != 0) return Link{mtu, like_ethernet(read_number(name, "type")) ? kEthernet : 0};
  if (ifindex == kLoopback) return Link{kLoopbackMtu, kEthernet};  // where there is no /sys, what it is by default
  return std::nullopt;
}

bool has_rx_queue(std::uint32_t ifindex, std::uint32_t queue) noexcept {
  if (ifindex == kLoopback) return queue == 0;
  char name[IF_NAMESIZE];
  if (::if_indextoname(ifindex, name) == nullptr) return false;
  char path[128];
  std::snprintf(path, sizeof path, "/sys/class/net/%s/queues/rx-%u", name, queue);
  return ::access(path, F_OK) == 0;
}

}  // namespace skep::packet
