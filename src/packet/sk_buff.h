// What a socket buffer program's context (struct __sk_buff) is lowered to: one packet and its metadata.
//
// Linear: headroom, data, tailroom in one allocation. Every field of __sk_buff that has a value outside a kernel
// is a member; the context table in spec/ says which, exec/ rewrites accesses to them. Headers are kept as offsets from
// data, so that the packet may be moved within its allocation.
// Source: struct __sk_buff in linux/bpf.h; kernel documentation networking/skbuff.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skep::packet {

// ip_summed: what is known of the packet's checksum.
enum ChecksumState : std::uint8_t { kChecksumNone, kChecksumUnnecessary, kChecksumComplete, kChecksumPartial };

struct SkBuff {
  std::byte* data = nullptr;      // where the program's packet starts (network header for cgroup and lwt programs)
  std::byte* data_end = nullptr;  // end of what direct access may reach
  std::byte* data_meta = nullptr;
  std::byte* head = nullptr;  // of the allocation
  std::byte* end = nullptr;   // of the allocation
  std::uint32_t len = 0;      // bytes of packet; equals data_end - data, as the buffer is linear
  std::uint32_t pkt_type = 0;
  std::uint32_t mark = 0;
  std::uint32_t queue_mapping = 0;
  std::uint32_t protocol = 0;  // network byte order, as __sk_buff shows it
  std::uint32_t vlan_present = 0;
  std::uint32_t vlan_tci = 0;
  std::uint32_t vlan_proto = 0;  // network byte order
  std::uint32_t priority = 0;
  std::uint32_t ingress_ifindex = 0;
  std::uint32_t ifindex = 0;
  std::uint32_t tc_index = 0;
  std::array<std::uint32_t, 5> cb{};
  std::uint32_t hash = 0;
  std::uint32_t tc_classid = 0;
  std::uint32_t napi_id = 0;
  std::uint64_t tstamp = 0;
  std::uint8_t tstamp_type = 0;
  std::uint64_t hwtstamp = 0;
  std::uint32_t wire_len = 0;
  std::uint32_t gso_segs = 0;
  std::uint32_t gso_size = 0;
  // Of the socket that the packet belongs to: a test run's has the addresses of the packet's header. Network byte
  // order.
  std::uint32_t family = 0;
  std::uint32_t remote_ip4 = 0;
  std::uint32_t local_ip4 = 0;
  std::array<std::uint32_t, 4> remote_ip6{};
  std::array<std::uint32_t, 4> local_ip6{};
  std::uint32_t remote_port = 0;
  std::uint32_t local_port = 0;     // host byte order
  std::uint32_t mac_len = 0;        // bytes of link-layer header before the network header, as last computed
  std::int32_t network_offset = 0;  // of the network header from data
  std::int32_t transport_offset = 0;
  std::uint8_t ip_summed = 0;   // ChecksumState
  std::uint32_t csum = 0;       // kChecksumComplete: sum of the packet
  std::int32_t mac_offset = 0;  // of the link-layer header from data; negative when data is at the network header
  bool transport_set = false;   // transport_offset means something
  bool encapsulated = false;    // adjust_room put a tunnel's headers in
  bool hash_set = false;        // hash means something
  std::uint8_t csum_level = 0;  // kChecksumUnnecessary: checksums verified behind the first
  std::uint32_t gso_type = 0;   // SKB_GSO_* bits; a test run leaves it 0 whatever gso_size says
};

}  // namespace skep::packet
