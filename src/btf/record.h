// What in a map's value is more than data: locks, timers, pointers to kernel objects.
//
// Such fields are found by the names of their types, inside structures, arrays and data sections; copies of a value
// leave them out, and programs may touch them through helpers only. A structure of such a name but another size is
// plain data, as is a misplaced one. Source: kernel documentation, bpf/map and bpf/kptr; what counts was tried on a
// kernel. Cost: linear in the members reached. Tested by: btf/record_test.cc, which asks the running kernel the same.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "btf/btf.h"

namespace skep::btf {

enum class Special : std::uint8_t {
#define SPECIAL_FIELD(Kind, ...) Kind,
#include "btf/special_fields.def"
#undef SPECIAL_FIELD
  Kptr,           // a pointer tagged "kptr"
  KptrUntrusted,  // "kptr_untrusted"
  KptrPercpu,     // "percpu_kptr"
};

struct SpecialField {
  Special kind = Special::SpinLock;
  std::uint32_t offset = 0;  // bytes, in the value
  std::uint32_t bytes = 0;
  std::uint32_t target = 0;  // kptrs: the type pointed to
  friend bool operator==(const SpecialField&, const SpecialField&) = default;
};

inline constexpr std::size_t kMaxSpecialFields = 11;

// The special fields of a value of type `id`, in the order of their offsets; none for types that are no structure or
// data section. E2BIG: more than 11, a second lock, timer or workqueue in one structure, nested too
// deeply.
Result<std::vector<SpecialField>> special_fields(const Btf& btf, std::uint32_t id);

// Structures with a lock or a reference count among their members are judged already when BTF is loaded, timers and
// workqueues apart. E2BIG: a second lock, or too many special fields; EINVAL: an array of locks; EFAULT: what they have
// is misplaced.
Result<> check_locks(const Btf& btf);

}  // namespace skep::btf
