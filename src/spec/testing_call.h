// For tests: calls of helpers in the running kernel, their arguments right or wrong as wanted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "spec/helper_access.h"
#include "spec/map_spec.h"
#include "spec/testing_load.h"

namespace skep::spec::testing {

// One type per kind of helper is enough: the first that allows it.
struct Loadable {
  ProgType type;
  AttachType attach = AttachType::CgroupInetIngress;
  std::uint32_t flags = 0;
};
inline constexpr Loadable kLoadable[] = {
    {ProgType::SchedCls},
    {ProgType::Xdp},
    {ProgType::Kprobe},
    {ProgType::PerfEvent},
    {ProgType::CgroupSkb},
    {ProgType::SkSkb},
    {ProgType::SkMsg, AttachType::SkMsgVerdict},
    {ProgType::SockOps, AttachType::CgroupSockOps},
    {ProgType::CgroupSockAddr, AttachType::CgroupInet4Connect},
    {ProgType::CgroupSysctl, AttachType::CgroupSysctl},
    {ProgType::SkReuseport, AttachType::SkReuseportSelect},
    {ProgType::LwtXmit},
    {ProgType::LwtSeg6local},
    {ProgType::Syscall, AttachType{}, kSleepable},
};

// Null for a helper of program types that do not load without a target, and for d_path, which few targets may call.
inline const Loadable* home_of(HelperId id) {
  if (id == HelperId::d_path) return nullptr;
  const auto found = std::ranges::find_if(kLoadable, [&](const Loadable& row) {
    return helper_allowed(row.type, row.attach, id) && (!helper(id).is(HelperTrait::Sleeps) || row.flags == kSleepable);
  });
  return found == std::end(kLoadable) ? nullptr : found;
}

inline isa::Insn insn(std::uint8_t code, unsigned dst, unsigned src, std::int32_t imm) {
  isa::Insn made{.code = code, .imm = imm};
  made.dst = dst & 0xf;
  made.src = src & 0xf;
  return made;
}

class Kernel {
 public:
  Kernel() : map_(array_map(0)), read_only_(array_map(kRdonlyProg)), write_only_(array_map(kWronlyProg)) {}

  Verdict call(const Loadable& home, HelperId id, std::vector<isa::Insn> arguments, const char* license = "GPL",
               const isa::Insn* afterwards = nullptr) const {
    std::vector<isa::Insn> insns{{.code = 0xbf, .dst = 6, .src = 1}};  // r6 = the context
    insns.insert(insns.end(), arguments.begin(), arguments.end());
    insns.push_back({.code = 0x85, .imm = static_cast<std::int32_t>(id)});
    if (afterwards != nullptr) insns.push_back(*afterwards);
    insns.push_back({.code = 0xb7});
    insns.push_back({.code = 0x95});
    return load_into_kernel({home.type, home.attach, std::move(insns), home.flags, license});
  }

  enum class Memory : std::uint8_t { Any, ReadOnly, WriteOnly };
  // Adds a right value for argument `reg`; false when there is none that is easily made.
  bool right(std::vector<isa::Insn>& out, std::uint8_t reg, ArgKind kind, Memory memory = Memory::Any) const {
    switch (info(kind).base) {
      case ArgBase::Ctx: out.push_back(insn(0xbf, reg, 6, 0)); return true;
      case ArgBase::Scalar:
      case ArgBase::Stack: out.push_back(insn(0xb7, reg, 0, 0)); return true;
      case ArgBase::Size:
      case ArgBase::AllocSize: out.push_back(insn(0xb7, reg, 0, 8)); return true;
      case ArgBase::Map: add_map(out, reg, 1, map_); return true;
      case ArgBase::Mem:
      case ArgBase::FixedMem:
      case ArgBase::MapKey:
      case ArgBase::MapValue:
        add_map(out, reg, 2,
                memory == Memory::ReadOnly    ? read_only_
                : memory == Memory::WriteOnly ? write_only_
                                              : map_);
        return true;
      default: return false;
    }
  }
  // Puts this map's pointer into a register.
  static void add_map_pointer(std::vector<isa::Insn>& out, std::uint8_t reg, const Fd& map) {
    add_map(out, reg, 1, map);
  }
  // Adds a wrong one: a number where a pointer is wanted, a pointer for a number.
  static void wrong(std::vector<isa::Insn>& out, std::uint8_t reg, ArgKind kind) {
    const ArgBase base = info(kind).base;
    const bool number = base == ArgBase::Size || base == ArgBase::AllocSize;
    if (number)
      out.push_back(insn(0xbf, reg, 10, 0));
    else
      out.push_back(insn(0xb7, reg, 0, 1));
  }

 private:
  static Fd array_map(std::uint32_t flags) {
    Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(MapType::Array);
    attr.map_create.key_size = 4;
    attr.map_create.value_size = 256;
    attr.map_create.max_entries = 1;
    attr.map_create.map_flags = flags;
    return Fd(static_cast<int>(btf::testing::kernel_bpf(0, &attr, sizeof attr)));
  }
  static void add_map(std::vector<isa::Insn>& out, std::uint8_t reg, std::uint8_t src, const Fd& map) {
    out.push_back(insn(0x18, reg, src, map.get()));
    out.push_back({});
  }
  Fd map_, read_only_, write_only_;
};

}  // namespace skep::spec::testing
