#include "packet/xdp_ops.h"

#include <cerrno>

#include "base/errno.h"

namespace skep::packet {

namespace {

constexpr std::ptrdiff_t kHeader = kEthernetHeader;
constexpr std::ptrdiff_t kMaxMetadata = 255;  // one byte of the frame's state counts them

bool without_metadata(const XdpBuff& xdp) noexcept { return xdp.data_meta > xdp.data; }

std::ptrdiff_t metadata_bytes(const XdpBuff& xdp) noexcept {
  return without_metadata(xdp) ? 0 : xdp.data - xdp.data_meta;
}

std::ptrdiff_t frag_bytes(const XdpBuff& xdp) noexcept { return xdp.frags_end ? xdp.frags_end - xdp.data_end : 0; }

// Unused bytes of the last fragment.
std::ptrdiff_t frag_room(const XdpBuff& xdp) noexcept {
  const auto used = static_cast<std::size_t>(frag_bytes(xdp));
  return static_cast<std::ptrdiff_t>(round_up(used, kXdpFragment) - used);
}

int adjust_frags(XdpBuff& xdp, std::ptrdiff_t offset) noexcept {
  if (offset >= 0) {
    if (offset > frag_room(xdp)) return -EINVAL;
    std::memset(xdp.frags_end, 0, static_cast<std::size_t>(offset));
    xdp.frags_end += offset;
    return 0;
  }
  if (xdp.frags_end - xdp.data + offset < kHeader) return -EINVAL;
  xdp.frags_end += offset;
  if (xdp.frags_end <= xdp.data_end) {
    xdp.data_end = xdp.frags_end;
    xdp.frags_end = nullptr;
  }
  return 0;
}

// 0 when [offset, offset + size) lies in the packet.
int reach(const XdpBuff& xdp, std::uint32_t offset, std::size_t size) noexcept {
  if (offset > 0xffff || size > 0xffff) return -EFAULT;
  return offset + size > length(xdp) ? -EINVAL : 0;
}

}  // namespace

std::uint64_t length(const XdpBuff& xdp) noexcept {
  return static_cast<std::uint64_t>(xdp.data_end - xdp.data + frag_bytes(xdp));
}

int adjust_head(XdpBuff& xdp, std::int32_t offset) noexcept {
  const std::ptrdiff_t metadata = metadata_bytes(xdp);
  const std::ptrdiff_t lowest =
      xdp.data_hard_start - xdp.data + static_cast<std::ptrdiff_t>(kXdpFrameHeader) + metadata;
  if (offset < lowest || offset > xdp.data_end - xdp.data - kHeader) return -EINVAL;
  if (metadata != 0) std::memmove(xdp.data_meta + offset, xdp.data_meta, static_cast<std::size_t>(metadata));
  xdp.data_meta += offset;
  xdp.data += offset;
  return 0;
}

int adjust_meta(XdpBuff& xdp, std::int32_t offset) noexcept {
  if (without_metadata(xdp)) return -kNotSupported;
  const std::ptrdiff_t lowest = xdp.data_hard_start - xdp.data_meta + static_cast<std::ptrdiff_t>(kXdpFrameHeader);
  const std::ptrdiff_t size = xdp.data - xdp.data_meta - offset;
  if (offset < lowest || size < 0) return -EINVAL;
  if (size % 4 != 0 || size > kMaxMetadata) return -EACCES;
  xdp.data_meta += offset;
  return 0;
}

int adjust_tail(XdpBuff& xdp, std::int32_t offset) noexcept {
  if (xdp.frags_end) return adjust_frags(xdp, offset);
  if (offset > xdp.data_hard_end - xdp.data_end) return -EINVAL;
  if (xdp.data_end - xdp.data + offset < kHeader) return -EINVAL;
  if (offset > 0) std::memset(xdp.data_end, 0, static_cast<std::size_t>(offset));
  xdp.data_end += offset;
  return 0;
}

int load_bytes(const XdpBuff& xdp, std::uint32_t offset, MutableBytes to) noexcept {
  if (const int error = reach(xdp, offset, to.size())) return error;
  if (!to.empty()) std::memmove(to.data(), xdp.data + offset, to.size());
  return 0;
}

int store_bytes(XdpBuff& xdp, std::uint32_t offset, Bytes from) noexcept {
  if (const int error = reach(xdp, offset, from.size())) return error;
  if (!from.empty()) std::memmove(xdp.data + offset, from.data(), from.size());
  return 0;
}

}  // namespace skep::packet
