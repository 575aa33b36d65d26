// What calls into the kernel ask of their arguments: the rules that helpers and kfuncs share, and what one argument
// tells of the next.
//
// Arguments are checked from r1 to r5, in Linux's order and words. What is learnt on the way (which map, which
// reference, which argument is given up) is gathered in CallArguments and used when all of them were found right.
// Tested by: verifier/explore/helper_test.cc and the selftests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btf/record.h"
#include "spec/helpers.h"
#include "verifier/step/access.h"
#include "verifier/step/btf_match.h"
#include "verifier/step/walk.h"

namespace skep::verifier {

// A type of one of the two BTFs that registers name by index.
struct TypeId {
  std::uint32_t btf = spec::kKernelBtf;
  std::uint32_t type = 0;  // 0: none
  friend bool operator==(const TypeId&, const TypeId&) = default;
};

struct CallArguments {
  const spec::Helper* helper = nullptr;  // null: a kfunc
  bool packet_allowed = false;           // memory may lie in the packet
  std::optional<std::uint32_t> map = {};
  std::uint32_t map_uid = 0;
  std::optional<std::uint64_t> key = {};  // an array's index, where it is known
  std::uint32_t ref_obj_id = 0;           // of the one argument that carries a reference
  unsigned released = 0;                  // the register whose reference is given up; 0: none
  std::optional<RawMemory> raw = {};
  std::uint64_t largest_size = 0;              // the last size argument's
  std::uint64_t result_size = 0;               // of the memory the call gives
  std::uint32_t subprog = 0;                   // called back
  TypeId percpu = {};                          // of a per-CPU object
  bool percpu_allocated = false;               // by the program
  std::vector<btf::SpecialField> fields = {};  // of the value a kptr_xchg looks into
  const btf::SpecialField* kptr = nullptr;     // the one of them it means...
  TypeId kptr_target = {};                     // ... and what it may point to
  std::uint32_t dynptr_id = 0;                 // of which the result is a slice
  bool moves_packet = false;

  // "bpf_map_lookup_elem#1", as messages name it.
  std::string callee() const;
};

// ---- Types of the kernel
const btf::Btf* types(const Walk& walk, std::uint32_t btf) noexcept;  // may be null
std::string type_name(const Walk& walk, TypeId id);                   // "task_struct"
// The kernel's structure of this name.
std::optional<TypeId> kernel_struct(const Walk& walk, std::string_view name);
bool types_match(const Walk& walk, TypeId have, std::int32_t offset, TypeId want, Match how);

// ---- Pointers
// At most one argument carries a reference.
Checked note_reference(Walk& walk, unsigned number, CallArguments& call);
// The pointer is a map's value with a NUL-terminated string that cannot change.
Checked check_const_string(Walk& walk, unsigned number);
// That string; the register was checked before.
std::string_view const_string(const Walk& walk, unsigned number);

// ---- Special fields of values
// Of the map's value or allocated object a register points to.
std::vector<btf::SpecialField> special_fields(const Walk& walk, const Register& reg);
enum class LockAction : std::uint8_t { Lock, Unlock };
Checked process_spin_lock(Walk& walk, unsigned number, LockAction action);
Checked process_timer(Walk& walk, unsigned number, CallArguments& call);
// The slot of a kptr_xchg: sets call.kptr and call.kptr_target.
Checked process_kptr_slot(Walk& walk, unsigned number, CallArguments& call);
// What a kptr field may point to: a type of the kernel, or of the program; nothing for a BTF that registers cannot
// name.
std::optional<TypeId> kptr_target(const Walk& walk, const btf::Btf& btf, const btf::SpecialField& field);
// The pointer in the register may be stored in this kptr field.
Checked check_kptr_type(Walk& walk, unsigned number, const btf::SpecialField& field, TypeId target);

// ---- Afterwards
// What the register holds is worth nothing any more.
void invalidate(const Walk& walk, Register& value);
// Packet pointers, and slices of packets, are worth nothing: the packet may have moved.
void forget_packet_pointers(Walk& walk);

}  // namespace skep::verifier
