// SOCKMAP, SOCKHASH, XSKMAP and REUSEPORT_SOCKARRAY: sockets, each by its cookie.
//
// A slot holds the cookie in place of a Reference's id and generation: it says for good which socket is meant, and
// keeps none open. Whether the socket is still there, and whether it may be in the map, is for the hive to ask
// (hive/sockets.h); what each type says of a slot's state is here. System calls read the cookie where a value has 8
// bytes. Tested by: maps/empty_map_test.cc, hive/socket_map_test.cc, fuzz/map_judge.
#pragma once

#include <bit>

#include "maps/array_map.h"
#include "maps/map_hash.h"

namespace skep::maps {

inline std::uint64_t cookie_of(Reference reference) noexcept { return std::bit_cast<std::uint64_t>(reference); }
inline Reference reference_of(std::uint64_t cookie) noexcept { return std::bit_cast<Reference>(cookie); }

class SocketArray final : public ReferenceArray {
 public:
  explicit SocketArray(Parts&& parts) : ReferenceArray(std::move(parts)) {}

  int update(const std::byte*, const std::byte*, std::uint64_t, unsigned) noexcept override { return -EINVAL; }
  int erase(const std::byte* key) noexcept override;
  std::size_t syscall_value_size() const noexcept override { return spec_.value_size; }
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
  int set_reference(const std::byte* key, Reference to, std::uint64_t flags, Reference* old) noexcept override;
};

class SocketHash final : public MapHash {
 public:
  explicit SocketHash(Parts&& parts) : MapHash(std::move(parts)) {}

  std::size_t syscall_value_size() const noexcept override { return spec_.value_size; }
  int copy_value(const std::byte* key, std::byte* value, std::uint64_t flags) noexcept override;
};

}  // namespace skep::maps
