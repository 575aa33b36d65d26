// The program types that are generated, with what a program of each may take for granted.
#pragma once

#include <cstdint>
#include <span>

#include "judge/program.h"

namespace skep::judge {

struct Target {
  spec::ProgType type;
  spec::AttachType attach;
  std::int32_t data = -1, data_end = -1, data_meta = -1;  // offsets in the context; -1: no packet
  std::uint32_t data_bits = 32;                           // of such a field
  bool writes_packet = true;
  bool loads_packet = false;                 // *(u8 *)skb[14]
  std::int32_t largest_result = 0x7fffffff;  // that may be returned
  std::uint32_t flags = 0;
};

// Those a class is about.
std::span<const Target* const> targets(Class about);

}  // namespace skep::judge
