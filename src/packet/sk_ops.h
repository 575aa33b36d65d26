// What helpers do to a SkBuff: 0 or a negative errno, exactly the kernel's.
//
// Offsets and sizes are a program's numbers and may be anything. The packet stays in its frame: when headroom or
// tailroom is short it is moved within the allocation, and -ENOMEM is returned when that does not help. XDP metadata in
// front of the packet is given up when the packet's start moves. A failing operation may have moved the packet, never
// changed it.
// Packets that say they are segmented but not how, as test runs make them, refuse what changes header lengths.
// Source: bpf-helpers(7); rules, limits and errors as tried on Linux 6.18.
// Tested by: packet/sk_ops_test.cc, and against the running kernel by helpers/packet_kernel_test.cc.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "packet/sk_buff.h"

namespace skep::packet {

// ---- bytes (sk_bytes.cc)
enum StoreFlag : std::uint64_t { kRecomputeCsum = 1, kInvalidateHash = 2 };

// -EFAULT: outside the packet; `to` is then cleared.
int load_bytes(const SkBuff& skb, std::uint32_t offset, MutableBytes to) noexcept;
// start: 0 from the link-layer header, 1 from the network header. Reaches the packet's end; errors as above.
int load_bytes_relative(const SkBuff& skb, std::uint32_t offset, MutableBytes to, std::uint32_t start) noexcept;
// -EINVAL: unknown flag; -EFAULT: outside the packet.
int store_bytes(SkBuff& skb, std::uint32_t offset, Bytes from, std::uint64_t flags) noexcept;
// Makes `size` bytes (0: all) directly reachable: they are. -ENOMEM: the packet is shorter.
int pull_data(SkBuff& skb, std::uint32_t size) noexcept;

// ---- size (sk_resize.cc)
int change_head(SkBuff& skb, std::uint32_t room, std::uint64_t flags) noexcept;
int change_tail(SkBuff& skb, std::uint32_t size, std::uint64_t flags) noexcept;
int change_proto(SkBuff& skb, std::uint16_t protocol, std::uint64_t flags) noexcept;  // protocol in network byte order
int change_type(SkBuff& skb, std::uint32_t type) noexcept;
bool make_headroom(SkBuff& skb, std::size_t room) noexcept;
bool make_tailroom(SkBuff& skb, std::size_t room) noexcept;
// `size` zero bytes `at` bytes behind data: everything before moves towards the head. make_gap_room() came before.
bool make_gap_room(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept;
void open_gap(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept;
// Removes `size` bytes at `at`. -ENOMEM: the packet does not reach that far.
int close_gap(SkBuff& skb, std::uint32_t at, std::uint32_t size) noexcept;

// ---- room between headers (sk_room.cc)
enum RoomFlag : std::uint64_t {
  kRoomFixedGso = 1U << 0,
  kRoomEncapIpv4 = 1U << 1,
  kRoomEncapIpv6 = 1U << 2,
  kRoomEncapGre = 1U << 3,
  kRoomEncapUdp = 1U << 4,
  kRoomNoCsumReset = 1U << 5,
  kRoomEncapEth = 1U << 6,
  kRoomDecapIpv4 = 1U << 7,
  kRoomDecapIpv6 = 1U << 8,
};
inline constexpr unsigned kRoomInnerMacShift = 56;  // the flags' top byte: length of the inner link-layer header
enum class RoomMode : std::uint32_t { Net = 0, Mac = 1 };
int adjust_room(SkBuff& skb, std::int32_t difference, std::uint32_t mode, std::uint64_t flags) noexcept;

// ---- VLAN (sk_vlan.cc). The outermost tag is in the metadata, as network cards deliver it; one pushed above it moves
// the former into the packet.
int vlan_push(SkBuff& skb, std::uint16_t protocol, std::uint16_t tci) noexcept;  // protocol in network byte order
int vlan_pop(SkBuff& skb) noexcept;

// ---- checksums (sk_csum.cc)
enum CsumFlag : std::uint64_t {
  kCsumFieldMask = 0xf,
  kCsumPseudoHeader = 1U << 4,
  kCsumMangledZero = 1U << 5,
  kCsumEnforce = 1U << 6,
  kCsumIpv6 = 1U << 7,
};
int l3_csum_replace(SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept;
int l4_csum_replace(SkBuff& skb, std::uint32_t offset, std::uint64_t from, std::uint64_t to,
                    std::uint64_t flags) noexcept;
// The new sum, as the kernel returns it; -ENOTSUPP when the packet has none.
std::int64_t csum_update(SkBuff& skb, std::uint32_t difference) noexcept;
// 0 query, 1 one more, 2 one less, 3 none. -EINVAL: another; -EACCES: queried where nothing was verified.
int csum_level(SkBuff& skb, std::uint64_t what) noexcept;
// Bytes about to leave the packet, or just put into it, `offset` behind where the sum starts.
void csum_without(SkBuff& skb, Bytes bytes, std::uint64_t offset) noexcept;
void csum_with(SkBuff& skb, Bytes bytes, std::uint64_t offset) noexcept;
void csum_unverified(SkBuff& skb) noexcept;  // "unnecessary" becomes "none"

// ---- signals to later handlers (sk_signal.cc)
enum class TstampType : std::uint32_t { Realtime = 0, Monotonic = 1, Tai = 2 };
// 1 when the IP header now says "congestion experienced"; 0 when it may not say so, or there is no IP header.
int ecn_set_ce(SkBuff& skb) noexcept;
// When to send the packet. -EINVAL: unknown clock, or no time in one that needs it; -EOPNOTSUPP: no IP packet.
int set_tstamp(SkBuff& skb, std::uint64_t tstamp, std::uint32_t type) noexcept;

// ---- flow hash (sk_hash.cc)
void set_hash(SkBuff& skb, std::uint32_t hash) noexcept;
void clear_hash(SkBuff& skb) noexcept;
// The packet's hash; computed when it has none: over addresses, protocol and ports of the outermost IP header behind
// any VLAN tags, the same for both directions of a flow and never 0 for an IP packet. The kernel's is keyed with a
// secret of each boot, so no value can be relied on; ours depends on nothing but the flow.
std::uint32_t hash_recalc(SkBuff& skb) noexcept;

}  // namespace skep::packet
