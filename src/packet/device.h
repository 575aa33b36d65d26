// What a test run asks of a network interface of this machine: does it exist, which addresses are its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace skep::packet {

using MacAddress = std::array<std::byte, 6>;

inline constexpr std::uint32_t kLoopback = 1;  // interface index of lo, where test runs take place

struct Device {
  MacAddress address{}, broadcast{};  // zeros for loopback
};

// nullopt: no such interface in this network namespace. Loopback is always there; others are read from /sys/class/net.
std::optional<Device> device(std::uint32_t ifindex) noexcept;

struct Link {
  std::uint32_t mtu;     // bytes of a packet from its network header on
  std::uint32_t header;  // bytes of the link-layer header in front of it
};
// nullopt: no such interface. Loopback always answers; the header of a link that is not like Ethernet counts as 0.
std::optional<Link> link(std::uint32_t ifindex) noexcept;
// Whether interface `ifindex` has receive queue `queue`.
bool has_rx_queue(std::uint32_t ifindex, std::uint32_t queue) noexcept;

}  // namespace skep::packet
