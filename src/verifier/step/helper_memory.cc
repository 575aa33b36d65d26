// Memory that helpers and kfuncs are handed.
#include "spec/prog_rules.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

Checked check_not_read_only(Walk& walk, const HelperMemory& memory, bool read_only) {
  if (!read_only || !memory.writes) return {};
  return walk.reject(EACCES, "R{} cannot write into {}", memory.number, walk.peek(memory.number).type_name());
}

// What is no memory: but nothing may be read of NULL.
Checked refuse(Walk& walk, const HelperMemory& memory) {
  const Register& reg = walk.peek(memory.number);
  if (memory.may_be_empty && memory.size == 0 && reg.is_zero()) return {};
  return walk.reject(EACCES, "R{} type={} expected={}", memory.number, reg.type_name(), name(Kind::Stack));
}

// Contexts that are rewritten have no size; those that are plain memory are as long as what was seen of them.
Checked check_context_memory(Walk& walk, const HelperMemory& memory) {
  if (!spec::has_plain_context(walk.type)) return refuse(walk, memory);
  if (memory.size == 0) return memory.may_be_empty ? Checked{} : walk.reject(EACCES, "");
  return check_access(walk, {.base = memory.number,
                             .offset = static_cast<std::int32_t>(memory.size - 1),
                             .size = 1,
                             .direction = memory.writes ? Direction::Write : Direction::Read});
}

Checked check_object(Walk& walk, const HelperMemory& memory, std::optional<RawMemory>& raw) {
  const Register& reg = walk.peek(memory.number);
  const unsigned number = memory.number;
  const Direction direction = memory.writes ? Direction::Write : Direction::Read;
  switch (reg.kind) {
    case Kind::Packet:
    case Kind::PacketMeta: return check_packet(walk, number, reg.offset, memory.size, memory.may_be_empty);
    case Kind::MapKey:
      TRY_VOID(check_not_read_only(walk, memory, true));
      return check_region(walk, number, reg.offset, memory.size, walk.map(reg.map).spec.key_size, false);
    case Kind::MapValue:
      TRY_VOID(check_map_direction(walk, number, reg.offset, memory.size, direction));
      return check_map_value_access(walk, number, reg.offset, memory.size, memory.may_be_empty, true);
    case Kind::Memory:
      TRY_VOID(check_not_read_only(walk, memory, reg.is(kReadOnly)));
      return check_region(walk, number, reg.offset, memory.size, reg.memory_size, memory.may_be_empty);
    case Kind::Buffer:
      TRY_VOID(check_not_read_only(walk, memory, reg.is(kReadOnly)));
      return check_buffer(walk, number, reg.offset, memory.size);
    case Kind::Stack: return check_stack_memory(walk, memory, reg.offset, raw);
    case Kind::Btf: {
      const Access access{.base = number, .size = static_cast<unsigned>(memory.size)};
      Register ignored;
      return access_btf_object(walk, {access, reg.offset}, ignored);
    }
    case Kind::Context: return check_context_memory(walk, memory);
    default: return refuse(walk, memory);
  }
}

}  // namespace

Checked check_helper_memory(Walk& walk, const HelperMemory& memory, std::optional<RawMemory>& raw) {
  return check_object(walk, memory, raw);
}

Checked check_memory_and_size(Walk& walk, HelperMemory memory, unsigned size_number, std::optional<RawMemory>& raw) {
  const Scalar64 size = walk.peek(size_number).number;
  if (!size.is_constant()) memory.is_uninit = false;  // what the helper leaves out must have been written before
  if (size.full.smin < 0)
    return walk.reject(EACCES, "R{} min value is negative, either use unsigned or 'var &= const'", size_number);
  if (size.full.umin == 0 && !memory.may_be_empty)
    return walk.reject(EACCES, "R{} invalid zero-sized read: u64=[{},{}]", size_number,
                       static_cast<std::int64_t>(size.full.umin), static_cast<std::int64_t>(size.full.umax));
  if (size.full.umax >= kMaxVariableSize)
    return walk.reject(EACCES, "R{} unbounded memory access, use 'var &= const' or 'if (var < const)'", size_number);
  memory.size = static_cast<std::int64_t>(size.full.umax);
  TRY_VOID(check_helper_memory(walk, memory, raw));
  return walk.mark_precise(size_number);
}

Checked check_memory_argument(Walk& walk, unsigned number, std::uint32_t size) {
  if (walk.peek(number).is_zero()) return {};
  const Traits traits = walk.peek(number).traits;
  if (traits & kOrNull) walk.reg(number).traits &= static_cast<Traits>(~kOrNull);  // here it is not
  std::optional<RawMemory> none;
  HelperMemory memory{.number = number, .size = size, .may_be_empty = true};
  TRY_VOID(check_helper_memory(walk, memory, none));
  memory.writes = true;
  TRY_VOID(check_helper_memory(walk, memory, none));
  if (traits & kOrNull) walk.reg(number).traits = traits;
  return {};
}

}  // namespace skep::verifier
