// Kernel functions that programs call by their BTF id: who may, and what holds of each beyond its prototype.
//
// What a function takes and gives is in the kernel's BTF; a row here has what is not. A function of the kernel without
// a row cannot be called. Cost: find is a binary search. Source: kfuncs.def, Linux 6.12. Tested by:
// spec/kfuncs_test.cc, against the running kernel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "spec/types.h"

namespace skep::spec {

enum class KfuncTrait : std::uint16_t {
  None = 0,
  Acquires = 1 << 0,      // the result carries a reference that must be released
  Releases = 1 << 1,      // takes over the reference of an argument
  RetNull = 1 << 2,       // the result may be NULL
  TrustedArgs = 1 << 3,   // pointers must be trusted, without offset, not NULL
  Rcu = 1 << 4,           // the same, but protection by RCU will do
  RcuProtected = 1 << 5,  // of an iterator: lives as long as the RCU section
  Sleeps = 1 << 6,
  Destructive = 1 << 7,  // may bring the system down
  IterNew = 1 << 8,
  IterNext = 1 << 9,
  IterDestroy = 1 << 10,
  Fastcall = 1 << 11,   // clobbers no register but r0
  Later = 1 << 12,      // no rules for it here yet
  UnderLock = 1 << 13,  // may be called while a bpf_spin_lock is held
};
constexpr KfuncTrait operator|(KfuncTrait a, KfuncTrait b) noexcept {
  return static_cast<KfuncTrait>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

struct Kfunc {
  std::string_view name;
  std::uint64_t types = 0;  // program types that may call it, one bit each
  KfuncTrait traits = KfuncTrait::None;
  std::uint32_t iterator_bytes = 0;  // of an iterator on the stack, whose function it is; 0: of none

  constexpr bool is(KfuncTrait which) const noexcept {  // any of them
    return (static_cast<unsigned>(traits) & static_cast<unsigned>(which)) != 0;
  }
  constexpr bool is_iterator() const noexcept { return iterator_bytes != 0; }
  constexpr bool takes_trusted() const noexcept { return is(KfuncTrait::TrustedArgs | KfuncTrait::Releases); }
};

std::span<const Kfunc> kfuncs() noexcept;  // by name
// Null when programs cannot call a function of this name.
const Kfunc* find_kfunc(std::string_view name) noexcept;
// Its place among kfuncs(), by which it is known to engines.
std::optional<std::uint32_t> kfunc_row(std::string_view name) noexcept;
// Whether programs of this type and attachment may.
bool kfunc_allowed(const Kfunc& kfunc, ProgType type, AttachType attach) noexcept;

}  // namespace skep::spec
