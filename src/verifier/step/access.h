// Memory, as instructions and helpers touch it.
//
// check_access() is the one door for loads, stores and atomics: bounds, alignment and permission by the kind of the
// pointer, what a store does to the stack, what a load gives. check_helper_memory() and check_memory_and_size() are its
// siblings for what a helper or kfunc is handed. All reject in Linux's order and words. Behind them stand stack.cc,
// map_value.cc, packet.cc, context.cc, btf_context.cc, btf_access.cc and object.cc, one per family of pointers
// (memory.h). Tested by: verifier/explore/memory_test.cc, verifier/explore/verify_test.cc and the selftests.
#pragma once

#include <cstdint>
#include <optional>

#include "spec/context.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

using spec::Direction;

// Numbers beyond these are no offsets and no sizes of anything.
inline constexpr std::int64_t kMaxVariableOffset = std::int64_t{1} << 29;
inline constexpr std::uint64_t kMaxVariableSize = std::uint64_t{1} << 29;

struct Access {
  unsigned base = 0;        // register that holds the pointer
  std::int32_t offset = 0;  // the instruction's
  unsigned size = 0;        // bytes
  Direction direction = Direction::Read;
  std::optional<unsigned> value = {};  // register that is loaded, or stored from
  std::int32_t immediate = 0;          // stored when there is no value register
  bool stores_immediate = false;
  bool extends_sign = false;
  bool is_strict = false;  // alignment matters whatever the flags say (atomics)
};
// Sets the value register when it loads.
Checked check_access(Walk& walk, const Access& access);
// Only that it is aligned as the kind of pointer and the flags ask.
Checked check_alignment(Walk& walk, const Access& access);
// An instruction is rewritten for the kind of pointer it works on, which must be the same on every path. Loads may meet
// BTF pointers of different trust.
Checked remember_pointer(Walk& walk, Kind kind, Traits traits, Direction direction);

// Memory handed to a helper or kfunc in register `number`.
struct HelperMemory {
  unsigned number = 0;
  std::int64_t size = 0;  // bytes; never negative
  bool may_be_empty = false;
  bool reads = true;
  bool writes = false;
  bool is_uninit = false;       // the helper writes it all: stack bytes need not be initialised before
  bool packet_allowed = false;  // it may lie in the packet
};
// What the helper will write on the stack, found while its arguments were checked, to be marked after all of them were.
struct RawMemory {
  unsigned number = 0;
  std::int64_t size = 0;
};
Checked check_helper_memory(Walk& walk, const HelperMemory& memory, std::optional<RawMemory>& raw);
// The same where the size is in register `size_number`: at most its umax, at least its umin.
Checked check_memory_and_size(Walk& walk, HelperMemory memory, unsigned size_number, std::optional<RawMemory>& raw);
// Memory of a kfunc or global function argument: `size` bytes at register `number`, read and written; NULL when
// allowed.
Checked check_memory_argument(Walk& walk, unsigned number, std::uint32_t size);
// Access of `size` bytes at `offset` from a map value; also asks that locks, timers and kptrs are left alone.
Checked check_map_value_access(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, bool may_be_empty,
                               bool by_helper);
// The pointer has no variable offset, and no fixed one unless allowed.
Checked check_pointer_offset(Walk& walk, const Register& reg, unsigned number, bool fixed_offset_allowed = false);

// Whether programs of this type may touch the packet directly. `for_helper`: what a helper is handed.
bool may_access_packet(const Walk& walk, Direction direction) noexcept;
// A dynptr that has this slot exists no longer, nor do the slices of it: something else is written there. EINVAL when
// it holds a reference.
Checked destroy_dynptr(Walk& walk, unsigned frame, std::size_t slot);

// What the loader must not learn: a pointer, when it may not.
inline bool is_secret(const Walk& walk, const Register& reg) noexcept { return !walk.may_leak && !reg.is_scalar(); }
// The object is there for as long as the program runs, or while its reference is held.
bool is_trusted(const Register& reg) noexcept;
inline bool in_rcu_section(const Walk& walk) noexcept {
  return walk.state.in_rcu || walk.state.lock.object != 0 || !walk.state.may_sleep;
}

}  // namespace skep::verifier
