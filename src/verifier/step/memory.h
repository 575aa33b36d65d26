// The families of pointers, each with its rules for an access; behind access.h, for the steps in this folder only.
//
// Each function is told what is accessed and where: `offset` counts from the register's variable part, the pointer's
// own fixed offset included. A load's result is `loaded`, which is an unknown number before: whoever knows better sets
// it; the caller narrows it to the access's size. Tested by: see access.h.
#pragma once

#include <cstdint>
#include <string>

#include "btf/record.h"
#include "verifier/step/access.h"

namespace skep::verifier {

struct Target {
  const Access& access;
  std::int32_t offset;  // bytes: access.offset and the pointer's fixed one

  bool reads() const noexcept { return access.direction == Direction::Read; }
};

// "(0x0; 0xff)", or a number.
std::string text_of(const Tnum64& bits);

// A pointer's bytes that a program may touch whatever its variable part is: `size` bytes at `offset` of `total`.
Checked check_region(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, std::uint32_t total,
                     bool may_be_empty);
// One end of it.
Checked check_inside(Walk& walk, unsigned number, std::int64_t offset, std::int64_t size, std::uint32_t total,
                     bool may_be_empty);

Checked access_stack(Walk& walk, const Target& target, Register& loaded);      // stack.cc
Checked access_map_value(Walk& walk, const Target& target, Register& loaded);  // map_value.cc
Checked access_kptr(Walk& walk, const Target& target, const btf::SpecialField& field, Register& loaded);  // kptr.cc
Checked access_map_key(Walk& walk, const Target& target);
Checked access_map_pointer(Walk& walk, const Target& target, Register& loaded);  // btf_access.cc
Checked access_btf_object(Walk& walk, const Target& target, Register& loaded);
Checked access_context(Walk& walk, const Target& target, Register& loaded);  // context.cc
Checked access_packet(Walk& walk, const Target& target);                     // packet.cc
Checked access_memory(Walk& walk, const Target& target);                     // object.cc
Checked access_socket(Walk& walk, const Target& target);
Checked access_flow_keys(Walk& walk, const Target& target);
Checked access_tp_buffer(Walk& walk, const Target& target);
Checked access_buffer(Walk& walk, const Target& target);

// What programs may do with a map's values: read, write. Refuses in Linux's words.
Checked check_map_direction(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, Direction direction);
Checked check_packet(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size, bool may_be_empty);
Checked check_buffer(Walk& walk, unsigned number, std::int32_t offset, std::int64_t size);
// A store would give away a pointer, to `where`.
Checked check_leak(Walk& walk, const Access& access, std::string_view where);

// The stack as a helper sees it (stack_range.cc).
Checked check_stack_memory(Walk& walk, const HelperMemory& memory, std::int32_t offset, std::optional<RawMemory>& raw);
// Of a load or of a helper: every byte between the lowest and the highest that may be touched can be read.
struct StackRange {
  unsigned number;
  std::int32_t offset;  // from the register's variable part
  std::int64_t size;
  bool by_helper;
  bool clobbers;  // a helper may write anything there
};
Checked check_stack_bounds(Walk& walk, const StackRange& range, Direction direction);
Checked check_stack_initialised(Walk& walk, const StackRange& range);
// A stack access that is no part of a call that keeps registers, below where only those spill: none keeps them then.
void notice_fastcall_stack(Walk& walk, std::uint32_t subprog, std::int64_t offset);

// What an access of the function's arguments gives, for programs attached to functions (btf_context.cc).
Checked access_arguments(Walk& walk, const Target& target, Register& loaded);

// "bpf_spin_lock", "kptr": what must be left alone, in messages.
std::string_view field_name(btf::Special kind) noexcept;

// A field of a kernel or program structure (btf_access.cc): what is there.
struct FieldFound {
  bool is_pointer = false;  // to a structure
  std::uint32_t type = 0;   // its id
  Traits traits = 0;        // as its tags say
  std::string_view name = {};
};
CheckedOf<FieldFound> find_field(Walk& walk, const btf::Btf& btf, std::uint32_t type, std::int64_t offset,
                                 std::int64_t size);
const btf::Btf* btf_of(const Walk& walk, std::uint32_t index) noexcept;

}  // namespace skep::verifier
