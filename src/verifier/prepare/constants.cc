// The 64-bit constants: which map, place in a map's value, function or variable of the kernel each of them is.
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/errno.h"
#include "btf/btf.h"
#include "isa/op.h"
#include "spec/uapi.h"
#include "verifier/prepare/code.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using isa::Insn;
using spec::MapType;

constexpr std::size_t kMaxMaps = 64;
constexpr std::uint32_t kMaxValueOffset = 1U << 29;
constexpr std::uint64_t kPage = 4096;

// Code bytes that are instructions at all.
constexpr std::array<bool, 256> kKnown = [] {
  std::array<bool, 256> known{};
#define OP(name, code, select, key, form, bits, sub, group, dialect, text) \
  if (isa::Dialects::dialect != isa::Dialects::OnlyRfc) known[code] = true;
#include "isa/opcodes.def"
  return known;
}();

bool is_value(const Insn& insn) { return insn.src == code::kMapValue || insn.src == code::kMapIndexValue; }
bool is_index(const Insn& insn) { return insn.src == code::kMapIndex || insn.src == code::kMapIndexValue; }

// ---- Variables of the kernel

// Whether the kernel keeps one per CPU: the data section that lists those.
bool is_per_cpu(const btf::Btf& types, std::uint32_t variable) {
  const auto section = types.find(".data..percpu", btf::Kind::Datasec);
  if (!section) return false;
  const btf::Type list = types.type(*section);
  for (std::uint32_t i = 0; i < list.vlen(); ++i)
    if (list.variable(i).type == variable) return true;
  return false;
}

Checked resolve_variable(Walk& walk, const btf::Btf& types, std::uint32_t id) {
  InsnInfo& info = walk.insn_info();
  const std::uint32_t type = types.type(id).type();
  const std::uint32_t resolved = types.resolve(type);
  const bool is_composite = btf::is_composite(types.type(resolved).kind());
  const bool per_cpu = is_per_cpu(types, id);
  if (per_cpu || is_composite) {
    info.constant = Kind::Btf;
    info.constant_traits = per_cpu ? kPercpu : Traits{0};
    info.which = type;
    return {};
  }
  const auto size = types.size_of(resolved);
  if (!size)
    return walk.reject(EINVAL, "ldimm64 unable to resolve the size of type '{}': {}", types.type(resolved).name(),
                       -EINVAL);
  info.constant = Kind::Memory;
  info.constant_traits = kReadOnly;
  info.which = *size;
  return {};
}

Checked resolve_kernel_symbol(Walk& walk) {
  const Insn& insn = walk.insn();
  const Insn& second = walk.input.insns[walk.index + 1];
  if (second.imm != 0) return walk.unsupported("variables of kernel modules");
  if (walk.input.kernel_btf == nullptr)
    return walk.reject(EINVAL, "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.");
  const btf::Btf& types = *walk.input.kernel_btf;
  const auto id = static_cast<std::uint32_t>(insn.imm);
  if (!types.has(id)) return walk.reject(ENOENT, "ldimm64 insn specifies invalid btf_id {}.", insn.imm);
  const btf::Kind kind = types.type(id).kind();
  if (kind == btf::Kind::Var) return resolve_variable(walk, types, id);
  if (kind != btf::Kind::Func)
    return walk.reject(EINVAL, "pseudo btf_id {} in ldimm64 isn't KIND_VAR or KIND_FUNC", insn.imm);
  walk.insn_info().constant = Kind::Memory;
  walk.insn_info().constant_traits = kReadOnly;
  walk.insn_info().which = 0;
  return {};
}

// ---- Maps

// The maps of the program in the order of their first use, and what it may have only one of.
class Maps {
 public:
  explicit Maps(Walk& walk) : walk_(walk) {}

  Checked add(const spec::MapUse& use) {
    if (use.map == spec::MapUse::kNone) return refuse(use);
    const bool is_new = std::ranges::find(seen_, use.map) == seen_.end();
    if (is_new && seen_.size() >= kMaxMaps)
      return walk_.reject(E2BIG, "The total number of maps per program has reached the limit of {}", kMaxMaps);
    const spec::MapView& map = walk_.input.maps[use.map];
    TRY_VOID(check_map(walk_, map));
    TRY_VOID(place(use.map, map));
    if (!is_new) return {};
    seen_.push_back(use.map);
    return check_only_one(use.map, map);
  }

 private:
  Checked refuse(const spec::MapUse& use) const {
    if (use.error == EPROTO) return walk_.reject(EPROTO, "fd_idx without fd_array is invalid");
    if (use.error == EFAULT) return walk_.reject(EFAULT, "");
    return walk_.reject(use.error, "fd {} is not pointing to valid bpf_map", use.fd);
  }

  // What the constant is: the map, or a place in its only value.
  Checked place(std::uint32_t index, const spec::MapView& map) {
    InsnInfo& info = walk_.insn_info();
    info.which = index;
    info.constant = Kind::MapPointer;
    if (!is_value(walk_.insn())) return {};
    const auto offset = static_cast<std::uint32_t>(walk_.input.insns[walk_.index + 1].imm);
    if (offset >= kMaxValueOffset) return walk_.reject(EINVAL, "direct value offset of {} is not allowed", offset);
    if (map.spec.type != MapType::Array && map.spec.type != MapType::Arena)
      return walk_.reject(EINVAL, "no direct value access support for this map type");
    if (map.spec.type == MapType::Arena) return place_in_arena(map, offset);
    if (!map.has_direct_value || offset >= map.spec.value_size)
      return walk_.reject(map.has_direct_value ? EINVAL : kNotSupported,
                          "invalid access to map value pointer, value_size={} off={}", map.spec.value_size, offset);
    info.constant = Kind::MapValue;
    info.offset = offset;
    return {};
  }

  // The user's address, a number.
  Checked place_in_arena(const spec::MapView& map, std::uint32_t offset) {
    if (offset > std::uint64_t{map.spec.max_entries} * kPage)
      return walk_.reject(ERANGE, "invalid access to map value pointer, value_size={} off={}", 0, offset);
    walk_.insn_info().constant = Kind::Scalar;
    return {};
  }

  Checked check_arena(std::uint32_t index, const spec::MapView& map) {
    if (walk_.arena) return walk_.reject(EBUSY, "Only one arena per program");
    if (!walk_.may_leak || !walk_.bpf_capable)
      return walk_.reject(EPERM, "CAP_BPF and CAP_PERFMON are required to use arena");
    walk_.arena = index;
    if (map.has_direct_value) return {};
    return walk_.reject(EINVAL, "arena's user address must be set via map_extra or mmap()");
  }

  Checked check_only_one(std::uint32_t index, const spec::MapView& map) {
    if (map.spec.type == MapType::Arena) return check_arena(index, map);
    const bool shared = map.spec.type == MapType::CgroupStorage;
    if (!shared && map.spec.type != MapType::PercpuCgroupStorage) return {};
    bool& has_one = shared ? has_storage_ : has_percpu_storage_;
    if (has_one) return walk_.reject(EBUSY, "only one cgroup storage of each type is allowed");
    has_one = true;
    return {};
  }

  Walk& walk_;
  std::vector<std::uint32_t> seen_;
  bool has_storage_ = false, has_percpu_storage_ = false;
};

// Whether the two slots are a constant, and of what kind.
Checked check_slots(const Walk& walk, const Insn& insn) {
  const auto insns = walk.input.insns;
  if (walk.index + 1 == insns.size()) return walk.reject(EINVAL, "invalid bpf_ld_imm64 insn");
  const Insn& second = insns[walk.index + 1];
  if (second.code != 0 || second.dst != 0 || second.src != 0 || second.off != 0)
    return walk.reject(EINVAL, "invalid bpf_ld_imm64 insn");
  const bool has_offset = is_value(insn) || insn.src == code::kBtfId;
  const bool is_map = insn.src == code::kMapFd || insn.src == code::kMapIndex;
  if (insn.src == code::kPlain || insn.src == code::kFunc || has_offset || (is_map && second.imm == 0)) return {};
  return walk.reject(EINVAL, "unrecognized bpf_ld_imm64 insn");
}

Checked resolve(Walk& walk, Maps& maps) {
  const Insn& insn = walk.insn();
  TRY_VOID(check_slots(walk, insn));
  if (insn.src == code::kPlain) return {};
  if (insn.src == code::kBtfId) return resolve_kernel_symbol(walk);
  if (insn.src == code::kFunc) {
    walk.insn_info().constant = Kind::Function;
    return {};
  }
  const auto& uses = walk.input.map_uses;
  const auto use = std::ranges::lower_bound(uses, walk.index, {}, &spec::MapUse::insn);
  if (use != uses.end() && use->insn == walk.index) return maps.add(*use);
  return maps.add({.insn = static_cast<std::uint32_t>(walk.index),
                   .map = spec::MapUse::kNone,
                   .fd = insn.imm,
                   .error = is_index(insn) ? EPROTO : EBADF});
}

bool is_plain_load(const Insn& insn) {
  const std::uint8_t mode = insn.code & code::kModeMask;
  return (mode == 0x60 || mode == 0x80) && insn.imm == 0;  // MEM, MEMSX
}

}  // namespace

Checked resolve_constants(Walk& walk) {
  Maps maps(walk);
  const auto insns = walk.input.insns;
  for (walk.index = 0; walk.index < insns.size(); ++walk.index) {
    const Insn& insn = insns[walk.index];
    if (code::class_of(insn) == code::kLdx && !is_plain_load(insn))
      return walk.reject(EINVAL, "BPF_LDX uses reserved fields");
    if (code::is_ld_imm64(insn)) {
      TRY_VOID(resolve(walk, maps));
      ++walk.index;
    } else if (!kKnown[insn.code]) {
      return walk.reject(EINVAL, "unknown opcode {:02x}", insn.code);
    }
  }
  return {};
}

}  // namespace skep::verifier
