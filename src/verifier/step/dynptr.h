// Dynptrs: memory whose bounds are known at run time only, behind two stack slots that programs cannot look into.
//
// A dynptr made on the stack lies in two neighbouring slots; the upper one, of the lower index, is its second
// (Register::first_slot is set in the one of the lower address). Each has an id that slices of its memory name, and a
// dynptr of a ring buffer record also a reference. Writing into a slot destroys the dynptr (access.h); one with a
// reference must not be destroyed. Callbacks get a dynptr as a register (Kind::Dynptr) that cannot be changed. Tested
// by: verifier/explore/helper_test.cc and the selftests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "verifier/step/walk.h"

namespace skep::verifier {

inline constexpr unsigned kDynptrSlots = 2;

// The argument in the register becomes a new dynptr on the stack. `reference`: of the one it is a clone of.
Checked init_dynptr(Walk& walk, unsigned number, DynptrType type, std::uint32_t reference = 0);
// The argument is a dynptr that was initialised; of `type`, if that is asked for.
enum class DynptrUse : std::uint8_t { Reads, Changes };
Checked check_dynptr(Walk& walk, unsigned number, std::optional<DynptrType> type, DynptrUse use);
// A dynptr that carries a reference is about to be given up; before its other rules are checked.
Checked check_released_dynptr(Walk& walk, unsigned number);
// Gives it up, with its clones and slices. False if it has none.
bool release_dynptr(Walk& walk, unsigned number);
// What is known of the dynptr in a register that check_dynptr accepted: id, ref_obj_id, dynptr.
const Register& dynptr_of(const Walk& walk, unsigned number);

// A new dynptr as a register, for callbacks and arguments of global functions.
Register dynptr_register(DynptrType type, std::uint32_t id) noexcept;

}  // namespace skep::verifier
