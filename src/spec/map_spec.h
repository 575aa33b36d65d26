// What a map is, apart from its bytes: the validated part of BPF_MAP_CREATE's attributes.
#pragma once

#include <cstdint>
#include <string>

#include "spec/types.h"

namespace skep::spec {

// map_flags of BPF_MAP_CREATE. Source: linux/bpf.h, Linux 6.12.
enum MapFlag : std::uint32_t {
  kNoPrealloc = 1U << 0,
  kNoCommonLru = 1U << 1,
  kNumaNode = 1U << 2,
  kRdonly = 1U << 3,  // from the system call side
  kWronly = 1U << 4,
  kStackBuildId = 1U << 5,
  kZeroSeed = 1U << 6,
  kRdonlyProg = 1U << 7,  // from the program side
  kWronlyProg = 1U << 8,
  kClone = 1U << 9,
  kMmapable = 1U << 10,
  kPreserveElems = 1U << 11,
  kInnerMap = 1U << 12,
  kLink = 1U << 13,
  kPathFd = 1U << 14,
  kVtypeBtfObjFd = 1U << 15,
  kTokenFd = 1U << 16,
  kSegvOnFault = 1U << 17,
  kNoUserConv = 1U << 18,
};

// flags of element updates and lookups.
enum UpdateFlag : std::uint64_t { kAny = 0, kNoExist = 1, kExist = 2, kLock = 4 };

struct MapSpec {
  MapType type = MapType::Unspec;
  std::uint32_t key_size = 0;     // bytes
  std::uint32_t value_size = 0;   // bytes, as the user gave it; per-CPU slots are rounded up to 8
  std::uint32_t max_entries = 0;  // elements; bytes for ring buffers
  std::uint32_t flags = 0;        // MapFlag bits
  std::uint64_t extra = 0;        // map_extra: hash functions of a bloom filter
  std::uint32_t numa_node = 0;
  std::string name = {};  // at most 15 bytes
  std::uint32_t ifindex = 0;
  BtfId btf = BtfId::None;  // with the two type ids below: how keys and values look
  std::uint32_t btf_key_type = 0;
  std::uint32_t btf_value_type = 0;
};

}  // namespace skep::spec
