// What a kernel function leaves behind: r0 as its prototype and its row say.
#include "verifier/step/access.h"
#include "verifier/step/kfunc.h"

namespace skep::verifier {
namespace {

using spec::KfuncTrait;

constexpr std::uint32_t kPointerBytes = 8;

// The register is defined in full, or only its lower half.
void define(Walk& walk, const Register& value, std::uint32_t bytes) {
  Register& r0 = walk.reg(0);
  r0 = value;
  r0.half_written_by = bytes == kPointerBytes ? 0 : static_cast<std::uint32_t>(walk.index) + 1;
}

// The arguments were read, as wide as their types are.
void mark_arguments(Walk& walk, const KfuncCall& call) {
  for (unsigned i = 0; i < call.proto.vlen(); ++i) {
    const unsigned number = i + 1;
    const bool full = call.types.size_of(call.proto.param(i).type).value_or(kPointerBytes) == kPointerBytes;
    const std::uint32_t half_written_by = walk.peek(number).half_written_by;
    if (full && half_written_by != 0) walk.info[half_written_by - 1].zero_extends = true;
    walk.mark_read(number, full);
  }
}

Register object(std::uint32_t type, Traits traits) {
  Register reg = Register::pointer(Kind::Btf, traits);
  reg.btf = spec::kKernelBtf;
  reg.btf_type = type;
  return reg;
}

CheckedOf<Register> slice(Walk& walk, const KfuncCall& call) {
  const bool is_read_only = call.name() == "bpf_dynptr_slice";
  if (!call.constant) return walk.reject(EFAULT, "verifier internal error: {} no constant size", call.name());
  if (!is_read_only && !may_access_packet(walk, Direction::Write))
    return walk.reject(EINVAL, "the prog does not allow writes to packet data");
  Register reg = Register::pointer(Kind::Memory, is_read_only ? kReadOnly : Traits{0});
  reg.dynptr = call.dynptr.type;
  reg.memory_size = static_cast<std::uint32_t>(*call.constant);
  reg.dynptr_id = call.dynptr.id;
  return reg;
}

CheckedOf<Register> memory(Walk& walk, const KfuncCall& call, std::uint32_t target) {
  std::uint32_t size = call.result_size;
  bool is_read_only = call.result_is_read_only;
  if (size == 0) {
    size = call.types.size_of(target).value_or(0);
    is_read_only = true;
  }
  if (size == 0)
    return walk.reject(EINVAL, "kernel function {} returns pointer type {} {} is not supported", call.name(),
                       btf::name(call.types.type(target).kind()), call.types.type(target).name());
  Register reg = Register::pointer(Kind::Memory, is_read_only ? kReadOnly : Traits{0});
  reg.memory_size = size;
  reg.ref_obj_id = call.ref_obj_id;  // it is gone with what the reference is of
  return reg;
}

CheckedOf<Register> pointer(Walk& walk, const KfuncCall& call, std::uint32_t target) {
  if (call.name() == "bpf_cast_to_kern_ctx") return object(call.context_type, kTrusted);
  if (call.name() == "bpf_rdonly_cast") {
    const auto id = static_cast<std::uint32_t>(call.constant.value_or(0));
    if (id == 0 || !call.types.has(id) || !btf::is_composite(call.types.type(id).kind()))
      return walk.reject(EINVAL, "kfunc bpf_rdonly_cast type ID argument must be of a struct");
    return object(id, kUntrusted);
  }
  if (call.name().starts_with("bpf_dynptr_slice")) return slice(walk, call);
  if (target == 0) return Register::unknown();  // void *: a number as any other
  if (call.types.type(target).kind() != btf::Kind::Struct) return memory(walk, call, target);
  if (!call.is(KfuncTrait::IterNext)) return object(target, 0);
  const Register& iterator = walk.state.frames[call.iterator->frame]->stack[call.iterator->slot].spilled;
  return object(target, iterator.is(kRcu) ? kRcu : kTrusted);
}

void own(Walk& walk, const KfuncCall& call) {
  Register& r0 = walk.reg(0);
  if (call.is(KfuncTrait::RetNull) && r0.is_pointer()) {
    r0.traits |= kOrNull;
    r0.id = walk.new_id();
  }
  if (!call.is(KfuncTrait::Acquires)) return;
  const std::uint32_t id = walk.acquire_reference();
  Register& result = walk.reg(0);
  if (call.is(KfuncTrait::RetNull)) result.id = id;
  result.ref_obj_id = id;
}

}  // namespace

Checked set_kfunc_result(Walk& walk, const KfuncCall& call) {
  mark_arguments(walk, call);
  walk.clobber_caller_saved();
  const std::uint32_t id = call.types.resolve(call.proto.type());
  if (id == 0) return {};
  const btf::Type type = call.types.type(id);
  switch (type.kind()) {
    case btf::Kind::Int:
    case btf::Kind::Enum:
    case btf::Kind::Enum64: define(walk, Register::unknown(), type.size()); return {};
    case btf::Kind::Ptr: {
      TRY(const Register value, pointer(walk, call, call.types.resolve(type.type())));
      define(walk, value, kPointerBytes);
      own(walk, call);
      return {};
    }
    default: return walk.unsupported("kernel functions that return a {}", btf::name(type.kind()));
  }
}

}  // namespace skep::verifier
