// What an engine needs to know of the models that contexts are lowered to: how large they are, where the packet lies,
// and the legacy packet loads. Engines see packet/ only through this.
//
// Bounds are read from the context each time: helpers move them. Tested by: interp/run_test.cc (every engine's loads),
// interp/failure_test.cc (bounds).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "exec/image.h"

namespace skep::exec {

// Bytes of the structure that programs of `kind` get; 0 for plain memory, whose size the call knows.
std::size_t context_bytes(ContextKind kind) noexcept;

// What programs may access of the packet: from its metadata, if it has any, to data_end. Empty for plain memory.
Bytes packet_of(ContextKind kind, const void* context) noexcept;

// The addresses that a program loads from its context; all null for plain memory.
struct PacketEdges {
  std::uint64_t meta = 0, data = 0, end = 0;
};
PacketEdges packet_edges(ContextKind kind, const void* context) noexcept;

// Where an XdpBuff has the edges of its packet; frags_end is null where it lies in one piece.
struct XdpEdges {
  std::int32_t data, data_end, frags_end;
};
extern const XdpEdges kXdpEdges;
inline constexpr std::uint32_t kMostXdpOffset = 0xffff;  // of bpf_xdp_load_bytes and bpf_xdp_store_bytes

// LD_ABS and LD_IND: `bytes` (1, 2 or 4) bytes of a SkBuff's packet at `offset`, read in network byte order; nothing
// where they are not there. Negative offsets count from the network header (SKF_NET_OFF) or the link-layer header
// (SKF_LL_OFF).
std::optional<std::uint64_t> load_packet(const void* context, std::int64_t offset, unsigned bytes) noexcept;

}  // namespace skep::exec
