#include "spec/helper_maps.h"
#include "verifier/step/argument_offset.h"
#include "verifier/step/dynptr.h"
#include "verifier/step/helper_call.h"

namespace skep::verifier {
namespace {

using spec::ArgBase;
using spec::ArgInfo;
using spec::ArgKind;
using spec::ArgUse;
using spec::HelperId;
using spec::MapType;

// Of maps of sockets the value is a socket; a bloom filter's value is asked for, not filled in.
CheckedOf<ArgInfo> resolved(Walk& walk, const ArgInfo& row, const CallArguments& call) {
  if (row.base != ArgBase::MapValue) return row;
  if (!call.map) return walk.reject(EACCES, "invalid map_ptr to access map->type");
  const MapType type = walk.map(*call.map).spec.type;
  if (spec::is_sockmap(type)) {
    if (&row != &spec::info(ArgKind::MapValue)) return walk.reject(EINVAL, "invalid arg_type for sockmap/sockhash");
    return spec::info(ArgKind::AnySock);
  }
  if (type == MapType::BloomFilter && is(call, HelperId::map_peek_elem)) return spec::info(ArgKind::MapValue);
  return row;
}

bool packet_allowed(const Walk& walk, const CallArguments& call) {
  return call.packet_allowed || walk.type == spec::ProgType::CgroupSockopt;
}

HelperMemory memory_for(const Walk& walk, unsigned number, const ArgInfo& wanted, const CallArguments& call) {
  return {.number = number,
          .reads = !has(wanted.use, ArgUse::Writes),
          .writes = has(wanted.use, ArgUse::Writes),
          .is_uninit = has(wanted.use, ArgUse::Uninit),
          .packet_allowed = packet_allowed(walk, call)};
}

Checked check_fixed_memory(Walk& walk, unsigned number, const ArgInfo& wanted, std::uint32_t size,
                           CallArguments& call) {
  HelperMemory memory = memory_for(walk, number, wanted, call);
  memory.size = size;
  return check_helper_memory(walk, memory, call.raw);
}

Checked check_map_argument(Walk& walk, unsigned number, CallArguments& call) {
  const Register& reg = walk.peek(number);
  // Maps in maps are told apart by the id of the lookup that found them.
  if (call.map && (*call.map != reg.map || call.map_uid != reg.map_uid))
    return walk.reject(EINVAL, "timer pointer in R1 map_uid={} doesn't match map pointer in R2 map_uid={}",
                       call.map_uid, reg.map_uid);
  call.map = reg.map;
  call.map_uid = reg.map_uid;
  return {};
}

Checked check_value_memory(Walk& walk, unsigned number, const ArgInfo& wanted, CallArguments& call) {
  if (has(wanted.use, ArgUse::Null) && walk.peek(number).is_zero()) return {};
  if (!call.map) return walk.reject(EACCES, "invalid map_ptr to access map->value");
  return check_fixed_memory(walk, number, wanted, walk.map(*call.map).spec.value_size, call);
}

Checked check_key_memory(Walk& walk, unsigned number, const ArgInfo& wanted, CallArguments& call) {
  if (!call.map) return walk.reject(EACCES, "invalid map_ptr to access map->key");
  TRY_VOID(check_fixed_memory(walk, number, wanted, walk.map(*call.map).spec.key_size, call));
  return read_constant_key(walk, number, call);
}

// The memory is the argument before.
Checked check_size(Walk& walk, unsigned number, const ArgInfo& wanted, CallArguments& call) {
  const unsigned pointer = number - 1;
  HelperMemory memory = memory_for(walk, pointer, spec::info(call.helper->args[pointer - 1]), call);
  memory.may_be_empty = has(wanted.use, ArgUse::Zero);
  call.largest_size = walk.peek(number).number.full.umax;
  return check_memory_and_size(walk, memory, number, call.raw);
}

Checked check_alloc_size(Walk& walk, unsigned number, CallArguments& call) {
  const Register& reg = walk.peek(number);
  if (!reg.number.is_constant()) return walk.reject(EACCES, "R{} is not a known constant'", number);
  call.result_size = reg.number.value();
  return walk.mark_precise(number);
}

Checked check_percpu_object(Walk& walk, unsigned number, CallArguments& call) {
  const Register& reg = walk.peek(number);
  if (reg.btf_type == 0) return walk.reject(EACCES, "Helper has invalid btf_id in R{}", number);
  call.percpu = {reg.btf, reg.btf_type};
  call.percpu_allocated = reg.is(kRcu);
  return {};
}

Checked check_dynptr_argument(Walk& walk, unsigned number, const ArgInfo& wanted) {
  if (has(wanted.use, ArgUse::Uninit))
    return init_dynptr(walk, number, has(wanted.use, ArgUse::Local) ? DynptrType::Local : DynptrType::Ringbuf);
  const auto type = has(wanted.use, ArgUse::Ringbuf) ? std::optional(DynptrType::Ringbuf) : std::nullopt;
  return check_dynptr(walk, number, type, has(wanted.use, ArgUse::Reads) ? DynptrUse::Reads : DynptrUse::Changes);
}

// What is given up carries a reference, or is NULL.
Checked check_released(Walk& walk, unsigned number, const ArgInfo& wanted, CallArguments& call) {
  const Register& reg = walk.peek(number);
  if (wanted.base == ArgBase::Dynptr) {
    TRY_VOID(check_released_dynptr(walk, number));
  } else if (reg.ref_obj_id == 0 && !reg.is_zero()) {
    return walk.reject(EINVAL, "R{} must be referenced when passed to release function", number);
  }
  if (call.released != 0) return walk.reject(EFAULT, "verifier internal error: more than one release argument");
  call.released = number;
  return {};
}

Checked check_offset(Walk& walk, unsigned number, const ArgInfo& wanted) {
  if (!has(wanted.use, ArgUse::Releases)) return check_argument_offset(walk, number);
  if (wanted.base == ArgBase::Dynptr && walk.peek(number).kind == Kind::Stack) return {};
  return check_argument_offset(walk, number, Handover::Releases);
}

// What the base of the argument asks, now that the register holds the right kind of thing.
Checked check_use(Walk& walk, unsigned number, const ArgInfo& wanted, CallArguments& call) {
  switch (wanted.base) {
    case ArgBase::Map: return check_map_argument(walk, number, call);
    case ArgBase::MapKey: return check_key_memory(walk, number, wanted, call);
    case ArgBase::MapValue: return check_value_memory(walk, number, wanted, call);
    case ArgBase::FixedMem:
      TRY_VOID(check_fixed_memory(walk, number, wanted, wanted.bytes, call));
      if (has(wanted.use, ArgUse::Aligned))
        return check_alignment(walk, {.base = number, .size = wanted.bytes, .is_strict = true});
      return {};
    case ArgBase::Size: return check_size(walk, number, wanted, call);
    case ArgBase::AllocSize: return check_alloc_size(walk, number, call);
    case ArgBase::ConstStr: return check_const_string(walk, number);
    case ArgBase::SpinLock:
      return process_spin_lock(walk, number, is(call, HelperId::spin_lock) ? LockAction::Lock : LockAction::Unlock);
    case ArgBase::Timer: return process_timer(walk, number, call);
    case ArgBase::KptrSlot: return process_kptr_slot(walk, number, call);
    case ArgBase::Dynptr: return check_dynptr_argument(walk, number, wanted);
    case ArgBase::PercpuBtf: return check_percpu_object(walk, number, call);
    case ArgBase::Func: call.subprog = walk.peek(number).subprog; return {};
    case ArgBase::None:
    case ArgBase::Scalar:
    case ArgBase::Unchecked:
    case ArgBase::Mem:  // with its size
    case ArgBase::Ctx:
    case ArgBase::Stack:
    case ArgBase::RingbufMem:
    case ArgBase::SockCommon:
    case ArgBase::Socket:
    case ArgBase::AnySock:
    case ArgBase::Btf: return {};
  }
  return {};
}

}  // namespace

Checked check_helper_argument(Walk& walk, unsigned number, CallArguments& call) {
  const ArgInfo& row = spec::info(call.helper->args[number - 1]);
  if (row.base == ArgBase::None || row.base == ArgBase::Unchecked) return {};
  TRY_VOID(walk.check_read(number));
  if (row.base == ArgBase::Scalar) {
    if (is_secret(walk, walk.peek(number))) return walk.reject(EACCES, "R{} leaks addr into helper function", number);
    return {};
  }
  if (walk.peek(number).is_packet() && !packet_allowed(walk, call))
    return walk.reject(EACCES, "helper access to the packet is not allowed");
  TRY(const ArgInfo wanted, resolved(walk, row, call));
  if (!walk.peek(number).is_zero() || !has(wanted.use, ArgUse::Null)) {
    TRY_VOID(check_argument_type(walk, number, wanted, call));
    TRY_VOID(check_offset(walk, number, wanted));
  } else if (walk.rules == Rules::Linux612) {
    TRY_VOID(walk.mark_precise(number));  // that it is NULL is relied on
  }
  if (has(wanted.use, ArgUse::Releases)) TRY_VOID(check_released(walk, number, wanted, call));
  if (wanted.base != ArgBase::KptrSlot) TRY_VOID(note_reference(walk, number, call));
  return check_use(walk, number, wanted, call);
}

}  // namespace skep::verifier
