// core_relos of BPF_PROG_LOAD: instructions that depend on the layout of the kernel's types get what is so here
// (btf/core.h).
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "btf/core.h"
#include "hive/prog_load.h"

namespace skep::hive {
namespace {

using isa::Insn;

constexpr std::uint32_t kMostRecordBytes = 252;
constexpr std::uint8_t kLdImm64 = 0x18, kCall = 0x85;
constexpr std::int32_t kPoison = 0xbad2310;  // a helper that does not exist; libbpf knows it when it sees the log

enum Class : std::uint8_t { Ld = 0, Ldx = 1, St = 2, Stx = 3, Alu = 4, Alu64 = 7 };

Result<std::vector<btf::CoreRelocation>> read_relocations(Loading& loading) {
  const spec::AttrProgLoad& attr = loading.request.attr.prog_load;
  const std::uint32_t stride = attr.core_relo_rec_size;
  constexpr std::uint32_t kKnown = sizeof(btf::CoreRelocation);
  std::vector<btf::CoreRelocation> relocations;
  if (attr.core_relo_cnt == 0) return relocations;
  if (attr.core_relo_cnt > static_cast<std::uint32_t>(std::numeric_limits<int>::max()) / kKnown || stride < kKnown ||
      stride > kMostRecordBytes || stride % sizeof(std::uint32_t) != 0)
    return fail(EINVAL, "core_relo_rec_size or core_relo_cnt makes no sense");
  for (std::uint32_t i = 0; i < attr.core_relo_cnt; ++i) {
    const std::uint64_t address = attr.core_relos + std::uint64_t{i} * stride;
    if (const int error = check_tail(loading.request.caller, address, stride, kKnown); error == E2BIG)
      answer(loading.request, offsetof(spec::AttrProgLoad, core_relo_rec_size), kKnown);
    else if (error == 0)
      relocations.emplace_back();
    if (relocations.size() != i + 1) return fail(E2BIG, "nonzero tailing record in core_relo");
    const MutableBytes ours = std::as_writable_bytes(std::span(&relocations.back(), 1));
    if (!loading.request.caller.copy_in(address, ours)) return fail(EFAULT, "core_relos cannot be read");
  }
  return relocations;
}

void poison(std::vector<Insn>& insns, std::size_t at) {
  const std::size_t last = insns[at].code == kLdImm64 ? at + 1 : at;
  for (std::size_t i = at; i <= last && i < insns.size(); ++i) {
    insns[i] = {};
    insns[i].code = kCall;
    insns[i].imm = kPoison;
  }
}

// The code of a load or store of so many bytes; nothing when there is none.
std::optional<std::uint8_t> resized(std::uint8_t code, std::uint32_t bytes) {
  constexpr std::uint8_t kSize = 0x18;
  const auto with = [code](unsigned size) { return static_cast<std::uint8_t>((code & ~kSize) | size); };
  switch (bytes) {
    case 8: return with(0x18);
    case 4: return with(0x00);
    case 2: return with(0x08);
    case 1: return with(0x10);
    default: return std::nullopt;
  }
}

Result<> patch_access(std::vector<Insn>& insns, std::size_t at, const btf::CoreValue& value) {
  Insn& insn = insns[at];
  if (value.value > static_cast<std::uint64_t>(std::numeric_limits<std::int16_t>::max()))
    return fail(ERANGE, fmt::format("insn #{}: a field at {} is out of reach", at, value.value));
  insn.off = static_cast<std::int16_t>(value.value);
  if (value.bytes == value.local_bytes) return {};
  const auto code = resized(insn.code, value.bytes);
  if (!value.is_resizable || !code) {
    poison(insns, at);
    return {};
  }
  if (resized(insn.code, value.local_bytes) != insn.code)
    return fail(EINVAL, fmt::format("insn #{}: a field of {} bytes is accessed otherwise", at, value.local_bytes));
  insn.code = *code;
  return {};
}

Result<> patch(std::vector<Insn>& insns, std::size_t at, const btf::CoreValue& value) {
  Insn& insn = insns[at];
  constexpr std::uint8_t kByRegister = 8;
  if (!value.is_there) {
    poison(insns, at);
    return {};
  }
  switch (insn.code & 7) {
    case Ldx:
    case St:
    case Stx: return patch_access(insns, at, value);
    case Alu:
    case Alu64:
      if ((insn.code & kByRegister) != 0) break;
      insn.imm = static_cast<std::int32_t>(value.value);
      return {};
    case Ld:
      if (insn.code != kLdImm64 || insn.src != 0 || at + 1 >= insns.size()) break;
      insn.imm = static_cast<std::int32_t>(value.value);
      insns[at + 1].imm = static_cast<std::int32_t>(value.value >> 32);
      return {};
    default: break;
  }
  return fail(EINVAL, fmt::format("insn #{}: no CO-RE relocation is for instructions of this kind", at));
}

}  // namespace

Result<> relocate(Loading& loading) {
  if (!loading.btf) return {};
  TRY(const std::vector<btf::CoreRelocation> relocations, read_relocations(loading));
  if (relocations.empty()) return {};
  const btf::Btf* kernel = loading.request.hive.kernel_btf();
  if (kernel == nullptr) return fail(EINVAL, "the kernel's types cannot be read: there is nothing to relocate for");
  for (std::size_t i = 0; i < relocations.size(); ++i) {
    const std::size_t at = relocations[i].insn_off / sizeof(Insn);
    if (relocations[i].insn_off % sizeof(Insn) != 0 || at >= loading.insns.size())
      return fail(EINVAL, fmt::format("Invalid core_relo[{}].insn_off:{} prog->len:{}", i, relocations[i].insn_off,
                                      loading.insns.size()));
    const auto value = btf::relocate(loading.btf->types, *kernel, relocations[i]);
    if (!value) return fail(value.error().code, fmt::format("relo #{}: {}", i, value.error().message));
    TRY_VOID(patch(loading.insns, at, *value));
  }
  return {};
}

}  // namespace skep::hive
