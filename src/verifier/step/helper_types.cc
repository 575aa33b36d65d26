#include <algorithm>
#include <array>

#include "verifier/step/helper_call.h"

namespace skep::verifier {
namespace {

using spec::ArgBase;
using spec::ArgInfo;
using spec::ArgUse;
using spec::HelperId;

struct Accepted {
  ArgBase base;
  Kind kind;
  Traits traits;
};
constexpr Traits kNone = 0;
constexpr Accepted kAccepted[] = {
#define ACCEPTS(base, kind, traits) {ArgBase::base, Kind::kind, traits},
#include "verifier/step/argument_types.def"
#undef ACCEPTS
};

// Whose rows of the table speak for this base.
constexpr ArgBase family(ArgBase base) noexcept {
  switch (base) {
    case ArgBase::MapKey:
    case ArgBase::MapValue:
    case ArgBase::FixedMem: return ArgBase::Mem;
    case ArgBase::AllocSize: return ArgBase::Size;
    default: return base;
  }
}

// By base: its rows in the table.
struct Rows {
  const Accepted* first = nullptr;
  const Accepted* last = nullptr;
  const Accepted* begin() const noexcept { return first; }
  const Accepted* end() const noexcept { return last; }
};
constexpr auto kRows = [] {
  std::array<Rows, static_cast<std::size_t>(ArgBase::Btf) + 1> rows{};
  for (const Accepted& row : kAccepted) {
    Rows& of = rows[static_cast<std::size_t>(row.base)];
    if (of.first == nullptr) of.first = &row;
    of.last = &row + 1;
  }
  return rows;
}();
const Rows& rows_of(ArgBase base) noexcept { return kRows[static_cast<std::size_t>(family(base))]; }

// What is told apart when registers are compared with rows; a few things do not matter to an argument that asks less.
Traits compared_traits(const Register& reg, unsigned number, const ArgInfo& wanted, const CallArguments& call) {
  Traits traits = reg.traits & static_cast<Traits>(~kNested);
  const bool memory = wanted.base == ArgBase::Mem || wanted.base == ArgBase::FixedMem;
  if (memory && has(wanted.use, ArgUse::Reads) && !has(wanted.use, ArgUse::Writes)) traits &= ~kReadOnly;
  if (has(wanted.use, ArgUse::Null)) traits &= ~kOrNull;
  // Objects of the program's own may be moved into its maps.
  if (is(call, HelperId::kptr_xchg) && number == 2 && reg.is(kAllocated)) traits &= ~(kAllocated | kPercpu);
  return traits;
}

Checked reject_type(Walk& walk, unsigned number, const ArgInfo& wanted) {
  std::string expected;
  for (const Accepted& row : rows_of(wanted.base)) {
    if (!expected.empty()) expected += ", ";
    expected += verifier::type_name(row.kind, row.traits);
  }
  return walk.reject(EACCES, "R{} type={} expected={}", number, walk.peek(number).type_name(), expected);
}

// The object is of the type that the argument names.
Checked check_object_type(Walk& walk, unsigned number, const ArgInfo& wanted, const CallArguments& call) {
  const Register reg = walk.peek(number);
  const bool releases = has(wanted.use, ArgUse::Releases);
  if (reg.may_be_null() && (!has(wanted.use, ArgUse::Null) || releases))
    return walk.reject(EACCES, "Possibly NULL pointer passed to helper arg{}", number);
  if (is(call, HelperId::kptr_xchg)) return check_kptr_type(walk, number, *call.kptr, call.kptr_target);
  const auto type = kernel_struct(walk, wanted.btf_type);
  if (!type) return walk.unsupported("objects of type {} without the kernel's BTF", wanted.btf_type);
  const Match how = releases && !is(call, HelperId::sk_release) ? Match::Strict : Match::Nested;
  const TypeId have{reg.btf, reg.btf_type};
  if (types_match(walk, have, reg.offset, *type, how)) return {};
  return walk.reject(EACCES, "R{} is of type {} but {} is expected", number, type_name(walk, have), wanted.btf_type);
}

Checked check_object(Walk& walk, unsigned number, const ArgInfo& wanted, const CallArguments& call) {
  const Register& reg = walk.peek(number);
  if (family(wanted.base) == ArgBase::Mem) {
    const bool read_only = wanted.base == ArgBase::Mem && !has(wanted.use, ArgUse::Writes);
    if (read_only) return {};
    return walk.reject(EACCES, "bpf_{}() may write into memory pointed by R{} type={}", call.helper->name, number,
                       reg.type_name());
  }
  switch (reg.traits & static_cast<Traits>(~(kNested | kOrNull))) {
    case 0:
    case kTrusted:
    case kRcu: return check_object_type(walk, number, wanted, call);
    case kAllocated:
    case kAllocated | kPercpu:
      if (is(call, HelperId::kptr_xchg) && number == 2)
        return check_kptr_type(walk, number, *call.kptr, call.kptr_target);
      return {};
    case kPercpu:
    case kPercpu | kRcu:
    case kPercpu | kTrusted: return {};
    default: return walk.reject(EFAULT, "verifier internal error: invalid PTR_TO_BTF_ID register for type match");
  }
}

}  // namespace

Checked check_argument_type(Walk& walk, unsigned number, const ArgInfo& wanted, const CallArguments& call) {
  const Register& reg = walk.peek(number);
  const Traits traits = compared_traits(reg, number, wanted, call);
  const auto fits = [&](const Accepted& row) { return row.kind == reg.kind && row.traits == traits; };
  if (std::ranges::none_of(rows_of(wanted.base), fits)) return reject_type(walk, number, wanted);
  return reg.kind == Kind::Btf ? check_object(walk, number, wanted, call) : Checked{};
}

}  // namespace skep::verifier
