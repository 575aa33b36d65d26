#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/errno.h"
#include "hive/prog_load.h"
#include "isa/op.h"
#include "maps/arena_map.h"

namespace skep::hive {
namespace {

using isa::Insn;

// src of an ld_imm64.
enum Pseudo : std::uint8_t {
  kPlain = 0,
  kMapFd = 1,
  kMapValue = 2,
  kBtfId = 3,
  kFunc = 4,
  kMapIdx = 5,
  kMapIdxValue = 6
};

constexpr std::size_t kMaxMaps = 64;
constexpr std::uint32_t kMaxValueOffset = 1U << 29;
constexpr std::uint8_t kLdImm64 = 0x18;

bool is_index(std::uint8_t src) noexcept { return src == kMapIdx || src == kMapIdxValue; }
bool is_value(std::uint8_t src) noexcept { return src == kMapValue || src == kMapIdxValue; }
bool names_map(const Insn& insn) noexcept {
  return insn.code == kLdImm64 && (insn.src == kMapFd || is_value(insn.src) || is_index(insn.src));
}

// The descriptor that an instruction names, or the errno of not finding one.
std::expected<int, int> descriptor_in(const Loading& loading, const Insn& insn) {
  if (!is_index(insn.src)) return insn.imm;
  const std::uint64_t array = loading.request.attr.prog_load.fd_array;
  if (array == 0) return std::unexpected(EPROTO);
  std::array<std::byte, sizeof(int)> fd;
  const auto offset = static_cast<std::uint64_t>(std::int64_t{insn.imm} * 4);
  if (!loading.request.caller.copy_in(array + offset, fd)) return std::unexpected(EFAULT);
  return skep::load<int>(fd.data());
}

spec::MapUse use_at(Loading& loading, std::size_t at) {
  spec::MapUse use{.insn = static_cast<std::uint32_t>(at)};
  const auto fd = descriptor_in(loading, loading.insns[at]);
  if (!fd) {
    use.error = fd.error();
    return use;
  }
  use.fd = *fd;
  Found<MapObject> found = find_map(loading.request.hive, loading.request.caller, *fd);
  use.error = found.error;
  if (!found.object) return use;
  const auto known = std::ranges::find(loading.maps, found.object.get(), [](const auto& ref) { return ref.get(); });
  use.map = static_cast<std::uint32_t>(known - loading.maps.begin());
  if (known == loading.maps.end()) loading.maps.push_back(std::move(found.object));
  return use;
}

Result<MapObject*> map_of(const Loading& loading, const spec::MapUse& use) {
  if (use.error == EPROTO) return fail(EPROTO, "fd_idx without fd_array is invalid");
  if (use.error == EFAULT) return fail(EFAULT, "bad address in fd_array");
  if (use.map == spec::MapUse::kNone)
    return fail(use.error, fmt::format("fd {} is not pointing to valid bpf_map", use.fd));
  if (use.map >= kMaxMaps)
    return fail(E2BIG, fmt::format("The total number of maps per program has reached the limit of {}", kMaxMaps));
  return loading.maps[use.map].get();
}

Result<> check_value(const MapObject& map, std::uint32_t offset) {
  const spec::MapSpec& spec = map.map->spec();
  if (offset >= kMaxValueOffset) return fail(EINVAL, fmt::format("direct value offset of {} is not allowed", offset));
  if (spec.type != spec::MapType::Array) return fail(EINVAL, "no direct value access support for this map type");
  const std::string why =
      fmt::format("invalid access to map value pointer, value_size={} off={}", spec.value_size, offset);
  if (map.map->direct_value() == nullptr) return fail(kNotSupported, why);
  return offset < spec.value_size ? Result<>() : fail(EINVAL, why);
}

Result<> check_pair(std::span<const Insn> insns, std::size_t at) {
  if (at + 1 >= insns.size() || insns[at + 1].code != 0 || insns[at + 1].dst != 0 || insns[at + 1].src != 0 ||
      insns[at + 1].off != 0)
    return fail(EINVAL, "invalid bpf_ld_imm64 insn");
  switch (insns[at].src) {
    case kPlain:
    case kBtfId:
    case kFunc:
    case kMapValue:
    case kMapIdxValue: return {};
    case kMapFd:
    case kMapIdx:
      if (insns[at + 1].imm == 0) return {};
      [[fallthrough]];
    default: return fail(EINVAL, "unrecognized bpf_ld_imm64 insn");
  }
}

Result<> resolve_pair(Loading& loading, std::size_t at) {
  std::vector<Insn>& insns = loading.source.insns;
  TRY_VOID(check_pair(insns, at));
  Insn& insn = insns[at];
  if (insn.src == kPlain || insn.src == kBtfId || insn.src == kFunc) return {};
  const auto use = std::ranges::lower_bound(loading.uses, at, {}, &spec::MapUse::insn);
  TRY(MapObject * map, map_of(loading, *use));
  if (is_value(insn.src)) TRY_VOID(check_value(*map, static_cast<std::uint32_t>(insns[at + 1].imm)));
  insn.src = (is_value(insn.src) ? kMapValue : kMapFd) & 0xf;
  insn.imm = static_cast<std::int32_t>(map->id());
  return {};
}

bool is_load(std::uint8_t code) noexcept { return (code & 7) == 1; }
bool plain_load(const Insn& insn) noexcept {
  const unsigned mode = insn.code & 0xe0;
  return (mode == 0x60 || mode == 0x80) && insn.imm == 0;  // MEM, MEMSX
}

// Users' mappings are seen when they begin to count.
void find_users(Caller& caller, const MapObject& map) {
  maps::ArenaMap* const arena = map.map->arena();
  struct stat file{};
  if (arena == nullptr || arena->place().users != 0 || ::fstat(map.map->memfd(), &file) != 0) return;
  if (const std::uint64_t at = caller.mapped_at(map.inode, static_cast<std::uint64_t>(file.st_size)); at != 0)
    arena->set_users(at);
}

}  // namespace

void find_maps(Loading& loading) {
  for (std::size_t i = 0; i < loading.insns.size() && loading.maps.size() <= kMaxMaps; ++i) {
    if (names_map(loading.insns[i])) loading.uses.push_back(use_at(loading, i));
    if (loading.insns[i].code == kLdImm64) ++i;
  }
  for (const Ref<MapObject>& map : loading.maps) find_users(loading.request.caller, *map);
}

Result<> resolve_maps(Loading& loading) {
  std::vector<Insn>& insns = loading.source.insns;
  insns = loading.insns;
  for (std::size_t i = 0; i < insns.size(); ++i) {
    if (is_load(insns[i].code) && !plain_load(insns[i])) return fail(EINVAL, "BPF_LDX uses reserved fields");
    if (insns[i].code == kLdImm64) {
      TRY_VOID(resolve_pair(loading, i));
      ++i;
    }
  }
  return {};
}

}  // namespace skep::hive
