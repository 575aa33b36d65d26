#include <cerrno>
#include <climits>

#include "packet/sk_ops.h"

namespace skep::packet {

namespace {

int fault(MutableBytes to) noexcept {
  if (!to.empty()) std::memset(to.data(), 0, to.size());
  return -EFAULT;
}

bool inside(const SkBuff& skb, std::uint64_t offset, std::uint64_t size) noexcept {
  return offset <= INT_MAX && offset + size <= skb.len;
}

}  // namespace

int load_bytes(const SkBuff& skb, std::uint32_t offset, MutableBytes to) noexcept {
  if (!inside(skb, offset, to.size())) return fault(to);
  if (!to.empty()) std::memmove(to.data(), skb.data + offset, to.size());
  return 0;
}

int load_bytes_relative(const SkBuff& skb, std::uint32_t offset, MutableBytes to, std::uint32_t start) noexcept {
  if (offset > 0xffff || start > 1) return fault(to);
  const std::ptrdiff_t origin = start == 0 ? skb.mac_offset : skb.network_offset;
  const std::ptrdiff_t from = origin + static_cast<std::ptrdiff_t>(offset);
  if (from < skb.head - skb.data || from + static_cast<std::ptrdiff_t>(to.size()) > skb.len) return fault(to);
  if (!to.empty()) std::memmove(to.data(), skb.data + from, to.size());
  return 0;
}

int store_bytes(SkBuff& skb, std::uint32_t offset, Bytes from, std::uint64_t flags) noexcept {
  if ((flags & ~std::uint64_t{kRecomputeCsum | kInvalidateHash}) != 0) return -EINVAL;
  if (!inside(skb, offset, from.size())) return -EFAULT;
  std::byte* const at = skb.data + offset;
  if ((flags & kRecomputeCsum) != 0) csum_without(skb, {at, from.size()}, offset);
  if (!from.empty()) std::memmove(at, from.data(), from.size());
  if ((flags & kRecomputeCsum) != 0) csum_with(skb, {at, from.size()}, offset);
  if ((flags & kInvalidateHash) != 0) clear_hash(skb);
  return 0;
}

int pull_data(SkBuff& skb, std::uint32_t size) noexcept { return size > skb.len ? -ENOMEM : 0; }

}  // namespace skep::packet
