// The door for loads, stores and atomics: alignment, then the rules of the pointer's kind, then the value that was
// read.
#include "verifier/step/access.h"

#include "verifier/domain/alu.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

// A network header begins 2 bytes behind an address that is aligned.
constexpr std::int32_t kPacketAlign = 2;

// How alignment's texts name what a pointer of this kind points to.
std::string_view alignment_name(Kind kind) {
  switch (kind) {
    case Kind::FlowKeys: return "flow keys ";
    case Kind::MapKey: return "key ";
    case Kind::MapValue: return "value ";
    case Kind::Context: return "context ";
    case Kind::Stack: return "stack ";
    case Kind::Socket: return "sock ";
    case Kind::SockCommon: return "sock_common ";
    case Kind::TcpSock: return "tcp_sock ";
    case Kind::XdpSock: return "xdp_sock ";
    default: return "";
  }
}

bool is_aligned(const Register& base, std::int64_t fixed, unsigned size) {
  return (base.number.bits + Tnum64::constant(static_cast<std::uint64_t>(fixed))).is_aligned(size);
}

// Pointers that are not followed: what may be NULL, and what is no memory.
bool is_followed(const Register& base) {
  switch (base.kind) {
    case Kind::MapKey:
    case Kind::MapValue:
    case Kind::Context:
    case Kind::Stack:
    case Kind::Packet:
    case Kind::PacketMeta:
    case Kind::FlowKeys:
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock:
    case Kind::XdpSock:
    case Kind::TpBuffer:
    case Kind::MapPointer:
    case Kind::Arena: return base.traits == 0;
    case Kind::Memory:
    case Kind::Buffer:
    case Kind::Btf: return !base.may_be_null();
    case Kind::Unset:
    case Kind::Scalar:
    case Kind::PacketEnd:
    case Kind::Function:
    case Kind::Dynptr:
    case Kind::Iterator: return false;
  }
  return false;
}

Checked access_by_kind(Walk& walk, const Target& target, Register& loaded) {
  switch (walk.peek(target.access.base).kind) {
    case Kind::MapKey: return access_map_key(walk, target);
    case Kind::MapValue: return access_map_value(walk, target, loaded);
    case Kind::Memory: return access_memory(walk, target);
    case Kind::Context: return access_context(walk, target, loaded);
    case Kind::Stack: return access_stack(walk, target, loaded);
    case Kind::Packet:
    case Kind::PacketMeta: return access_packet(walk, target);
    case Kind::FlowKeys: return access_flow_keys(walk, target);
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock:
    case Kind::XdpSock: return access_socket(walk, target);
    case Kind::TpBuffer: return access_tp_buffer(walk, target);
    case Kind::Btf: return access_btf_object(walk, target, loaded);
    case Kind::MapPointer: return access_map_pointer(walk, target, loaded);
    case Kind::Buffer: return access_buffer(walk, target);
    case Kind::Arena: return {};  // whatever is there, or zero
    default: break;
  }
  return walk.reject(EACCES, "R{} invalid mem access '{}'", target.access.base,
                     walk.peek(target.access.base).type_name());
}

void narrow(Register& value, const Access& access, Rules rules) {
  if (access.size == kSlotBytes || !value.is_scalar()) return;
  if (!access.extends_sign) return resize(access.size * 8, value.number, rules);
  switch (access.size) {
    case 1: return detail::extend_sign<8>(Part::Full, value.number, rules);
    case 2: return detail::extend_sign<16>(Part::Full, value.number, rules);
    default: return detail::extend_sign<32>(Part::Full, value.number, rules);
  }
}

// Kinds for which a load is not just a load of the machine.
bool is_rewritten(Kind kind) {
  switch (kind) {
    case Kind::Context:
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock:
    case Kind::XdpSock:
    case Kind::Btf:
    case Kind::Arena: return true;
    default: return false;
  }
}

}  // namespace

std::string text_of(const Tnum64& bits) {
  std::string out;
  append(out, bits);
  return out;
}

Checked check_alignment(Walk& walk, const Access& access) {
  const Register& base = walk.peek(access.base);
  const bool special = base.traits != 0;
  // What is known of a slot's bytes relies on aligned accesses.
  const bool stack = base.kind == Kind::Stack && !special;
  if (access.size == 1 || !(walk.strict_alignment || access.is_strict || stack)) return {};
  if (base.kind == Kind::Arena) return {};
  const std::int64_t fixed = std::int64_t{base.offset} + access.offset;
  if (base.is_packet()) {
    if (is_aligned(base, fixed + kPacketAlign, access.size)) return {};
    return walk.reject(EACCES, "misaligned packet access off {}+{}+{}+{} size {}", kPacketAlign,
                       text_of(base.number.bits), base.offset, access.offset, access.size);
  }
  if (is_aligned(base, fixed, access.size)) return {};
  return walk.reject(EACCES, "misaligned {}access off {}+{}+{} size {}", special ? "" : alignment_name(base.kind),
                     text_of(base.number.bits), base.offset, access.offset, access.size);
}

Checked check_leak(Walk& walk, const Access& access, std::string_view where) {
  if (access.direction == Direction::Read || !access.value || !is_secret(walk, walk.peek(*access.value))) return {};
  return walk.reject(EACCES, "R{} leaks addr into {}", *access.value, where);
}

Checked check_access(Walk& walk, const Access& access) {
  TRY_VOID(check_alignment(walk, access));
  const Register& base = walk.peek(access.base);
  if (!is_followed(base)) return walk.reject(EACCES, "R{} invalid mem access '{}'", access.base, base.type_name());
  const Target target{access, base.offset + access.offset};
  Register loaded = Register::unknown();
  TRY_VOID(access_by_kind(walk, target, loaded));
  if (!target.reads() || !access.value) return {};
  narrow(loaded, access, walk.rules);
  walk.set(*access.value, loaded);
  if (loaded.is_pointer()) walk.reg(*access.value).half_written_by = 0;  // its load is made a whole one
  return {};
}

Checked remember_pointer(Walk& walk, Kind kind, Traits traits, Direction direction) {
  InsnInfo& info = walk.insn_info();
  if (info.accessed == Kind::Unset) {
    info.accessed = kind;
    info.accessed_traits = traits;
    return {};
  }
  const bool same = info.accessed == kind && info.accessed_traits == traits;
  if (same || !(is_rewritten(kind) || is_rewritten(info.accessed))) return {};
  if (direction == Direction::Write || kind != Kind::Btf || info.accessed != Kind::Btf)
    return walk.reject(EINVAL, "same insn cannot be used with different pointers");
  info.accessed_traits = kUntrusted;
  return {};
}

}  // namespace skep::verifier
