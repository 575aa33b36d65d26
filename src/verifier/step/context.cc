// The context: fields of a fiction, by the rows of spec/, or the arguments of the function a program is attached to.
#include <algorithm>

#include "spec/prog_rules.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using spec::FieldKind;
using spec::ProgType;

Checked refuse(Walk& walk, const Target& target) {
  return walk.reject(EACCES, "invalid bpf_context access off={} size={}", target.offset, target.access.size);
}

Register contents(Walk& walk, FieldKind kind) {
  const auto or_null = [&](Kind what) {
    Register reg = Register::pointer(what, kOrNull);
    reg.id = walk.new_id();
    return reg;
  };
  switch (kind) {
    case FieldKind::Scalar: break;
    case FieldKind::PacketData: return Register::pointer(Kind::Packet);
    case FieldKind::PacketMeta: return Register::pointer(Kind::PacketMeta);
    case FieldKind::PacketEnd: return Register::pointer(Kind::PacketEnd);
    case FieldKind::FlowKeys: return Register::pointer(Kind::FlowKeys);
    case FieldKind::Socket: return Register::pointer(Kind::Socket);
    case FieldKind::SocketOrNull: return or_null(Kind::Socket);
    case FieldKind::SockCommonOrNull: return or_null(Kind::SockCommon);
  }
  return Register::unknown();
}

Checked access_field(Walk& walk, const Target& target, Register& loaded) {
  if (spec::context_of(walk.type) == spec::ContextKind::None)
    return walk.unsupported("the context of {} programs", spec::name(walk.type));
  const auto field = spec::check_access({.type = walk.type,
                                         .attach = walk.attach,
                                         .offset = target.offset,
                                         .size = target.access.size,
                                         .direction = target.access.direction},
                                        walk.input.rights);
  if (!field) return walk.reject(field.error().code, "{}", field.error().message);
  // The upper half of a packet's pointer is not there to be filled with the sign of the lower.
  if (target.access.extends_sign && (*field)->kind != FieldKind::Scalar) return refuse(walk, target);
  if (target.reads() && target.access.value) loaded = contents(walk, (*field)->kind);
  return {};
}

// The first argument of a writable tracepoint is its buffer.
Checked access_writable_tracepoint(Walk& walk, const Target& target, Register& loaded) {
  if (target.offset != 0) return access_field(walk, target, loaded);
  if (target.access.size != kSlotBytes || !target.reads()) return refuse(walk, target);
  loaded = Register::pointer(Kind::TpBuffer);
  return {};
}

// A netfilter program's context: two pointers to objects of the kernel.
Checked access_netfilter(Walk& walk, const Target& target, Register& loaded) {
  const bool known = target.offset == 0 || target.offset == kSlotBytes;
  if (!known || !target.reads() || target.access.size != kSlotBytes || walk.input.kernel_btf == nullptr)
    return refuse(walk, target);
  const auto type = walk.input.kernel_btf->find(target.offset == 0 ? "nf_hook_state" : "sk_buff", btf::Kind::Struct);
  if (!type) return refuse(walk, target);
  loaded = Register::pointer(Kind::Btf, kTrusted);
  loaded.btf = spec::kKernelBtf;
  loaded.btf_type = *type;
  return {};
}

Checked access_by_type(Walk& walk, const Target& target, Register& loaded) {
  switch (walk.type) {
    case ProgType::Tracing:
    case ProgType::StructOps:
    case ProgType::Lsm: return access_arguments(walk, target, loaded);
    case ProgType::RawTracepointWritable: return access_writable_tracepoint(walk, target, loaded);
    case ProgType::Netfilter: return access_netfilter(walk, target, loaded);
    default: return access_field(walk, target, loaded);
  }
}

}  // namespace

Checked check_pointer_offset(Walk& walk, const Register& reg, unsigned number, bool fixed_offset_allowed) {
  if (reg.offset < 0)
    return walk.reject(EACCES, "negative offset {} ptr R{} off={} disallowed", reg.type_name(), number, reg.offset);
  if (!fixed_offset_allowed && reg.offset != 0)
    return walk.reject(EACCES, "dereference of modified {} ptr R{} off={} disallowed", reg.type_name(), number,
                       reg.offset);
  if (!reg.is_fixed())
    return walk.reject(EACCES, "variable {} access var_off={} disallowed", reg.type_name(), text_of(reg.number.bits));
  return {};
}

Checked access_context(Walk& walk, const Target& target, Register& loaded) {
  const Access& access = target.access;
  TRY_VOID(check_leak(walk, access, "ctx"));
  TRY_VOID(check_pointer_offset(walk, walk.peek(access.base), access.base));
  TRY_VOID(access_by_type(walk, target, loaded));
  walk.max_context_end = std::max(walk.max_context_end, std::int64_t{target.offset} + access.size);
  return {};
}

}  // namespace skep::verifier
