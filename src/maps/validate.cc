// BPF_MAP_CREATE's checks, in the order in which the kernel's answers show that it makes them.
#include <bit>

#include "base/cpus.h"
#include "base/errno.h"
#include "maps/kinds.h"
#include "maps/map.h"

namespace skep::maps {
namespace {

using namespace spec;

constexpr std::uint32_t kSyscallAccess = kRdonly | kWronly;
constexpr std::uint32_t kProgramAccess = kRdonlyProg | kWronlyProg;
constexpr std::uint32_t kAccess = kSyscallAccess | kProgramAccess;

constexpr Kind kKinds[] = {
#define KIND(type, Class, family, key, value, entries, flags, features) \
  {MapType::type, Family::family, KeyRule::key, ValueRule::value, EntriesRule::entries, (flags), (features)},
#include "maps/kinds.def"
#undef KIND
};

// What one kernel allocation holds, and what surrounds an element of each kind in it: these bound key and value sizes.
constexpr std::uint64_t kMostAllocation = 4U << 20;
constexpr std::uint64_t kHashElement = 48;
constexpr std::uint64_t kTrieNode = 24;  // 40 before Linux 6.13
constexpr std::uint64_t kMostPrefixBytes = 256;
constexpr std::uint64_t kMostPerCpuBytes = 32U << 10;
constexpr std::uint64_t kMostStorageBytes = 65535 - 128;  // a 16-bit size, and what surrounds a value
constexpr std::uint32_t kMostShortKey = 512;
constexpr std::uint32_t kMostFrames = 127;  // kernel.perf_event_max_stack, unless somebody changed it
constexpr std::uint32_t kMostArenaPages = 1U << 20;
constexpr std::uint32_t kPage = 4096;

std::string subject(const MapSpec& spec) {
  std::string text("map ");
  if (!spec.name.empty()) text += "'" + spec.name + "' ";
  return text + "of type " + std::string(name(spec.type)) + ": ";
}

std::unexpected<Error> refuse(const MapSpec& spec, int code, const std::string& why) {
  return fail(code, subject(spec) + why);
}

Result<> check_key(const MapSpec& spec, const Kind& kind) {
  const std::string is = ", is " + std::to_string(spec.key_size);
  switch (kind.key) {
    case KeyRule::None:
      if (spec.key_size != 0) return refuse(spec, EINVAL, "key_size must be 0" + is);
      return {};
    case KeyRule::Index:
      if (spec.key_size != 4) return refuse(spec, EINVAL, "key_size must be 4" + is);
      return {};
    case KeyRule::Bytes:
      if (spec.key_size == 0) return refuse(spec, EINVAL, "key_size must not be 0");
      return {};
    case KeyRule::Short:
      if (spec.key_size == 0) return refuse(spec, EINVAL, "key_size must not be 0");
      if (spec.key_size > kMostShortKey) return refuse(spec, E2BIG, "key_size must be 512 at most" + is);
      return {};
    case KeyRule::Cgroup:
      if (spec.key_size != 8 && spec.key_size != 16) return refuse(spec, EINVAL, "key_size must be 8 or 16" + is);
      return {};
    case KeyRule::Prefix:
      if (spec.key_size < 5 || spec.key_size > 4 + kMostPrefixBytes)
        return refuse(spec, EINVAL, "key_size must be 5 to 260 (a prefix length and 1 to 256 bytes)" + is);
      return {};
  }
  __builtin_unreachable();
}

Result<> check_frames(const MapSpec& spec) {
  const std::uint32_t frame = (spec.flags & kStackBuildId) != 0 ? 32 : 8;
  if (spec.value_size < 8 || spec.value_size % frame != 0 || spec.value_size / frame > kMostFrames)
    return refuse(spec, EINVAL,
                  "value_size must be 1 to 127 frames of " + std::to_string(frame) + " bytes, is " +
                      std::to_string(spec.value_size));
  return {};
}

Result<> check_value(const MapSpec& spec, const Kind& kind) {
  const std::string is = ", is " + std::to_string(spec.value_size);
  switch (kind.value) {
    case ValueRule::None:
      if (spec.value_size != 0) return refuse(spec, EINVAL, "value_size must be 0" + is);
      return {};
    case ValueRule::Bytes:
    case ValueRule::PerCpu:
      if (spec.value_size == 0) return refuse(spec, EINVAL, "value_size must not be 0");
      return {};
    case ValueRule::Fd:
      if (spec.value_size != 4) return refuse(spec, EINVAL, "value_size must be 4 (a file descriptor)" + is);
      return {};
    case ValueRule::Device:
    case ValueRule::FdOrCookie:
      if (spec.value_size != 4 && spec.value_size != 8) return refuse(spec, EINVAL, "value_size must be 4 or 8" + is);
      return {};
    case ValueRule::Frames: return check_frames(spec);
  }
  __builtin_unreachable();
}

Result<> check_entries(const MapSpec& spec, const Kind& kind) {
  const std::string is = ", is " + std::to_string(spec.max_entries);
  if (spec.max_entries == 0 && kind.entries != EntriesRule::None)
    return refuse(spec, EINVAL, "max_entries must not be 0");
  switch (kind.entries) {
    case EntriesRule::Some: return {};
    case EntriesRule::Pages:
      if (!std::has_single_bit(spec.max_entries) || spec.max_entries % kPage != 0)
        return refuse(spec, EINVAL, "max_entries must be a power of two and whole pages" + is);
      return {};
    case EntriesRule::Cpus:
      if (spec.max_entries > most_cpus()) return refuse(spec, E2BIG, "more entries than CPUs can be" + is);
      return {};
    case EntriesRule::One:
      if (spec.max_entries != 1) return refuse(spec, EINVAL, "max_entries must be 1" + is);
      return {};
    case EntriesRule::None:
      if (spec.max_entries != 0) return refuse(spec, EINVAL, "max_entries must be 0" + is);
      return {};
    case EntriesRule::ArenaPages:
      if (spec.max_entries > kMostArenaPages) return refuse(spec, E2BIG, "an arena has 4 GiB at most");
      return {};
  }
  __builtin_unreachable();
}

Result<> check_flags(const MapSpec& spec, const Kind& kind) {
  const std::uint32_t flags = spec.flags;
  const bool lru = kind.has(kLru);
  if ((flags & kSyscallAccess) == kSyscallAccess) return refuse(spec, EINVAL, "both BPF_F_RDONLY and BPF_F_WRONLY");
  if ((flags & kNumaNode) != 0 && !memory_node_online(spec.numa_node))
    return refuse(spec, EINVAL, "memory node " + std::to_string(spec.numa_node) + " is not online");
  // What the family knows but LRU maps cannot do has an answer of its own, unless something else is wrong as well.
  const bool program_both = (flags & kProgramAccess) == kProgramAccess;
  if (lru && (flags & kNoPrealloc) != 0 && (flags & ~(kind.flags | kNoPrealloc | kNumaNode)) == 0 && !program_both)
    return refuse(spec, kNotSupported, "BPF_F_NO_PREALLOC is not for LRU maps");
  if (const std::uint32_t extra = flags & ~kind.flags; extra != 0)
    return refuse(spec, EINVAL, "flag " + std::to_string(std::bit_floor(extra)) + " is not for this type");
  if (program_both) return refuse(spec, EINVAL, "both BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG");
  if (lru && (flags & kNoCommonLru) != 0 && (flags & kNumaNode) != 0)
    return refuse(spec, EINVAL, "BPF_F_NO_COMMON_LRU excludes BPF_F_NUMA_NODE");
  if ((kind.family == Family::Trie || kind.has(kTyped)) && (flags & kNoPrealloc) == 0)
    return refuse(spec, EINVAL, "BPF_F_NO_PREALLOC is required");
  if (kind.family == Family::Arena && (flags & kMmapable) == 0)
    return refuse(spec, EINVAL, "BPF_F_MMAPABLE is required");
  return {};
}

// map_extra of an arena: where users map it. The lower halves of its addresses must not wrap.
Result<> check_arena_address(const MapSpec& spec) {
  if (spec.extra % kPage != 0) return refuse(spec, EINVAL, "map_extra must be the address of a page");
  const std::uint64_t last = spec.extra + std::uint64_t{spec.max_entries} * kPage - 1;
  if (spec.extra != 0 && spec.extra >> 32 != last >> 32)
    return refuse(spec, ERANGE, "map_extra: the pages cross a border of 4 GiB");
  return {};
}

// Types that belong to something else's life must say what their values are.
Result<> check_typed(const MapSpec& spec, const Kind& kind) {
  if (kind.has(kTyped) && (spec.btf_key_type == 0 || spec.btf_value_type == 0))
    return refuse(spec, EINVAL, "BTF types of keys and values are required");
  return {};
}

// Sizes that are legal in kind but too large.
Result<> check_limits(const MapSpec& spec, const Kind& kind) {
  const std::uint64_t key = spec.key_size;
  const std::uint64_t value = spec.value_size;
  switch (kind.family) {
    case Family::Array:
      if (value > INT32_MAX) return refuse(spec, E2BIG, "value_size exceeds 2^31-1");
      break;
    case Family::Hash:
      if (key + value >= kMostAllocation - kHashElement) return refuse(spec, E2BIG, "key and value exceed 4 MiB");
      if (spec.max_entries > 1U << 31) return refuse(spec, E2BIG, "max_entries exceeds 2^31");
      break;
    case Family::Trie:
      if (value > kMostAllocation - kMostPrefixBytes - kTrieNode)
        return refuse(spec, EINVAL, "value_size exceeds 4 MiB");
      break;
    case Family::Queue:
    case Family::Bloom:
      if (value > kMostAllocation) return refuse(spec, E2BIG, "value_size exceeds 4 MiB");
      break;
    case Family::Device:
      if (kind.type == MapType::DevmapHash && spec.max_entries > 1U << 31)
        return refuse(spec, EINVAL, "max_entries exceeds 2^31");
      break;
    case Family::Storage:
      if (kind.value == ValueRule::Bytes && value > kMostStorageBytes)
        return refuse(spec, E2BIG, "value_size must be " + std::to_string(kMostStorageBytes) + " at most");
      break;
    case Family::Trace:
      if (spec.max_entries > 1U << 31) return refuse(spec, E2BIG, "max_entries exceeds 2^31");
      break;
    case Family::Arena: return check_arena_address(spec);
    case Family::Cpu:
    case Family::Ring:
    case Family::Socket:
    case Family::Struct: break;
  }
  if (kind.value == ValueRule::PerCpu && round_up(value, 8) > kMostPerCpuBytes)
    return refuse(spec, E2BIG, "a per-CPU value exceeds 32 KiB");
  return {};
}

Result<> check_inner(const MapSpec& spec, const Kind& kind, const MapSpec* inner) {
  if (!kind.has(kOuter)) return {};
  if (inner == nullptr) return refuse(spec, EBADF, "a map of maps needs an inner map as template");
  const Kind* inside = find_kind(inner->type);
  if (inside != nullptr && inside->has(kOuter)) return refuse(spec, EINVAL, "the inner map is itself a map of maps");
  if (inside == nullptr || !inside->has(kInner))
    return refuse(spec, kNotSupported, "a " + std::string(name(inner->type)) + " map cannot be an inner map");
  return {};
}

Result<> check_extra(const MapSpec& spec, const Kind& kind) {
  if (kind.family == Family::Arena) return {};
  if (kind.family != Family::Bloom && spec.extra != 0) return refuse(spec, EINVAL, "map_extra must be 0");
  if (spec.extra > 15) return refuse(spec, EINVAL, "map_extra holds 0 to 15 hash functions");
  return {};
}

}  // namespace

const Kind* find_kind(MapType type) noexcept {
  for (const Kind& kind : kKinds)
    if (kind.type == type) return &kind;
  return nullptr;
}

Result<> validate(const MapSpec& spec, const MapSpec* inner) {
  const Kind* kind = find_kind(spec.type);
  if (kind == nullptr) return refuse(spec, EINVAL, "this type cannot be created");
  TRY_VOID(check_extra(spec, *kind));
  TRY_VOID(check_flags(spec, *kind));
  TRY_VOID(check_entries(spec, *kind));
  TRY_VOID(check_key(spec, *kind));
  TRY_VOID(check_value(spec, *kind));
  TRY_VOID(check_typed(spec, *kind));
  TRY_VOID(check_limits(spec, *kind));
  return check_inner(spec, *kind, inner);
}

}  // namespace skep::maps
