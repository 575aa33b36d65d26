// The table of map types, maps/kinds.def, as data.
#pragma once

#include <cstdint>
#include <string_view>

#include "spec/map_spec.h"

namespace skep::maps {

enum class Family : std::uint8_t {
  Array,
  Hash,
  Trie,
  Device,
  Cpu,
  Ring,
  Queue,
  Bloom,
  Trace,
  Socket,
  Storage,
  Arena,
  Struct
};

enum class KeyRule : std::uint8_t {
  None,    // key_size 0
  Index,   // 4: a number below max_entries
  Bytes,   // at least 1
  Short,   // 1 to 512
  Prefix,  // 4 bytes of prefix length, then 1 to 256 bytes
  Cgroup,  // 8 (a cgroup's id) or 16 (and an attach type)
};

enum class ValueRule : std::uint8_t {
  None,        // value_size 0
  Bytes,       // at least 1
  PerCpu,      // at least 1, and 32 KiB at most when rounded up to 8
  Fd,          // 4: what user space writes is a file descriptor
  Device,      // 4 or 8: a number, and perhaps a program's file descriptor
  FdOrCookie,  // 4 or 8: user space writes a socket's descriptor and reads its cookie, which needs 8
  Frames,      // whole frames of a stack, as many as the kernel records at most
};

enum class EntriesRule : std::uint8_t {
  Some,        // at least 1
  Pages,       // bytes: a power of two and whole pages
  Cpus,        // at least 1, and at most the CPUs a kernel is built for
  One,         // 1
  None,        // 0: elements come with what they belong to
  ArenaPages,  // at least 1, and at most 4 GiB
};

enum Feature : std::uint32_t {
  kBatch = 1U << 0,         // BPF_MAP_LOOKUP_BATCH and BPF_MAP_UPDATE_BATCH
  kForEach = 1U << 1,       // bpf_for_each_map_elem
  kInner = 1U << 2,         // may be inside a map of maps
  kTake = 1U << 3,          // BPF_MAP_LOOKUP_AND_DELETE_ELEM
  kPerCpu = 1U << 4,        // a value per CPU; system calls move them all at once
  kReferences = 1U << 5,    // values are objects: set_reference, reference
  kOuter = 1U << 6,         // the objects are maps
  kNoLookup = 1U << 7,      // system calls cannot read elements
  kDirect = 1U << 8,        // BPF_PSEUDO_MAP_VALUE when it has one element
  kLru = 1U << 9,           // evicts instead of being full
  kKeyless = 1U << 10,      // push, pop, peek
  kBatchDelete = 1U << 11,  // BPF_MAP_DELETE_BATCH
  kBatchTake = 1U << 12,    // BPF_MAP_LOOKUP_AND_DELETE_BATCH
  kBuckets = 1U << 13,      // batches are read with read_batch()
  kShell = 1U << 14,        // has no elements yet: maps/empty_map.h
  kTyped = 1U << 15,        // must come with BTF types of keys and values
  kOwned = 1U << 16,        // an element belongs to a task, a socket...: keys are descriptors of these, or maps::Owner
};

// The key of an element that belongs to somebody, as the map has it: who that is, for good.
struct Owner {
  std::uint64_t where = 0;
  std::uint64_t which = 0;
};

struct Kind {
  spec::MapType type;
  Family family;
  KeyRule key;
  ValueRule value;
  EntriesRule entries;
  std::uint32_t flags;  // MapFlag bits allowed at creation
  std::uint32_t features;

  bool has(Feature feature) const noexcept { return (features & feature) != 0; }
};

const Kind* find_kind(spec::MapType type) noexcept;  // null: a type that cannot be created

}  // namespace skep::maps
