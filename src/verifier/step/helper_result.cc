// What a helper gives back.
#include <algorithm>

#include "spec/helper_maps.h"
#include "verifier/step/helper_call.h"

namespace skep::verifier {
namespace {

using btf::Special;
using spec::HelperId;
using spec::HelperTrait;
using spec::ResultBase;
using spec::ResultInfo;
using Property = ResultInfo::Property;

constexpr std::int32_t kMaxErrno = 4095;

Register object(TypeId type, Traits traits) {
  Register made = Register::pointer(Kind::Btf, traits);
  made.btf = type.btf;
  made.btf_type = type.type;
  return made;
}

Register memory(std::uint64_t size, Traits traits) {
  Register made = Register::pointer(Kind::Memory, traits);
  made.memory_size = static_cast<std::uint32_t>(size);
  return made;
}

// A number, narrowed to what the helper promises.
CheckedOf<Register> integer(Walk& walk, const CallArguments& call, Property property) {
  Register made = Register::unknown();
  auto& [bits, full, half] = made.number;
  if (property == Property::Length) {
    full.smin = half.smin = -kMaxErrno;
    full.smax = static_cast<std::int64_t>(call.largest_size);
    half.smax = static_cast<std::int32_t>(call.largest_size);
  } else if (property == Property::Cpu) {
    const std::uint32_t last = walk.input.possible_cpus - 1;
    full.umin = half.umin = 0, full.smin = half.smin = 0;
    full.umax = half.umax = last;
    full.smax = half.smax = static_cast<std::int32_t>(last);
  } else {
    return made;
  }
  made.number.sync(walk.rules);
  TRY_VOID(walk.settle(made, "retval"));
  return made;
}

CheckedOf<Register> map_value(Walk& walk, const CallArguments& call, Traits traits) {
  if (!call.map) return walk.reject(EINVAL, "kernel subsystem misconfigured verifier");
  Register made = Register::pointer(Kind::MapValue, traits);
  made.map = *call.map;
  made.map_uid = call.map_uid;
  const auto fields = walk.map(*call.map).fields;
  const bool has_lock = std::ranges::find(fields, Special::SpinLock, &btf::SpecialField::kind) != fields.end();
  if ((traits & kOrNull) == 0 && has_lock) made.id = walk.new_id();
  return made;
}

// What a pointer to a per-CPU object becomes on one CPU: memory of its size, or an object if it is a structure.
CheckedOf<Register> on_one_cpu(Walk& walk, const CallArguments& call, Traits traits) {
  const btf::Btf& btf = *types(walk, call.percpu.btf);
  const std::uint32_t id = btf.resolve(call.percpu.type);
  if (btf.type(id).kind() == btf::Kind::Struct || btf.type(id).kind() == btf::Kind::Union) {
    if (call.percpu_allocated) return object(call.percpu, kAllocated | kRcu);
    return object(call.percpu, traits);
  }
  if (call.percpu_allocated) return walk.reject(EFAULT, "Helper has invalid btf/btf_id in R1");
  const auto size = btf.size_of(id);
  if (!size) return walk.reject(EINVAL, "unable to resolve the size of type '{}': {}", btf.type(id).name(), -EINVAL);
  return memory(*size, static_cast<Traits>(traits | kReadOnly));
}

CheckedOf<Register> kernel_object(Walk& walk, const CallArguments& call, const ResultInfo& result, Traits traits) {
  if (result.property == Property::Trusted) traits |= kTrusted;
  if (is(call, HelperId::kptr_xchg)) {
    if (call.kptr_target.btf != spec::kKernelBtf) {
      traits |= kAllocated;
      if (call.kptr->kind == Special::KptrPercpu) traits |= kPercpu;
    }
    return object(call.kptr_target, traits);
  }
  const auto type = kernel_struct(walk, result.btf_type);
  if (!type) return walk.reject(EINVAL, "invalid return type {} of func {}", 8, call.callee());
  return object(*type, traits);
}

CheckedOf<Register> made(Walk& walk, const CallArguments& call) {
  const ResultInfo& result = spec::info(call.helper->result);
  const Traits traits = result.may_be_null() && !finds_element(walk, call) ? kOrNull : Traits{0};
  switch (result.base) {
    case ResultBase::Integer: return integer(walk, call, result.property);
    case ResultBase::Void: return Register{};
    case ResultBase::MapValue: return map_value(walk, call, traits);
    case ResultBase::Socket: return Register::pointer(Kind::Socket, traits);
    case ResultBase::TcpSock: return Register::pointer(Kind::TcpSock, traits);
    case ResultBase::SockCommon: return Register::pointer(Kind::SockCommon, traits);
    case ResultBase::RingbufMem: return memory(call.result_size, static_cast<Traits>(traits | kRingbuf));
    case ResultBase::DynptrMem: return memory(call.result_size, traits);
    case ResultBase::MemOrBtf: return on_one_cpu(walk, call, traits);
    case ResultBase::Btf: return kernel_object(walk, call, result, traits);
  }
  return Register{};
}

// A socket found in a map of sockets is the program's to give back, as is what lookups and reservations give.
bool acquires(const Walk& walk, const CallArguments& call) {
  if (call.helper->is(HelperTrait::Acquires)) return true;
  return is(call, HelperId::map_lookup_elem) && call.map && spec::is_sockmap(walk.map(*call.map).spec.type);
}

}  // namespace

Checked set_helper_result(Walk& walk, const CallArguments& call) {
  TRY(Register result, made(walk, call));
  if (result.is_pointer() && result.may_be_null()) result.id = walk.new_id();
  const bool is_slice = is(call, HelperId::dynptr_data);
  if (is_slice) result.dynptr_id = call.dynptr_id;
  if (is_slice || call.helper->is(HelperTrait::Casts)) {
    result.ref_obj_id = call.ref_obj_id;
  } else if (acquires(walk, call)) {
    result.id = result.ref_obj_id = walk.acquire_reference();
  }
  walk.reg(0) = result;
  return {};
}

}  // namespace skep::verifier
