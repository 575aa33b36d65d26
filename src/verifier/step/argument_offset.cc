#include "verifier/step/argument_offset.h"

#include "verifier/step/access.h"

namespace skep::verifier {
namespace {

bool is_memory(const Register& reg) {
  switch (reg.kind) {
    case Kind::Stack:
    case Kind::Packet:
    case Kind::PacketMeta:
    case Kind::MapKey:
    case Kind::MapValue:
    case Kind::Arena:
    case Kind::Scalar: return reg.traits == 0;
    case Kind::Memory: return reg.traits == 0 || reg.traits == kReadOnly || reg.traits == kRingbuf;
    case Kind::Buffer: return reg.traits == 0 || reg.traits == kReadOnly;
    default: return false;
  }
}

bool is_object(const Register& reg) {
  if (reg.kind != Kind::Btf) return false;
  switch (reg.traits) {
    case 0:
    case kAllocated:
    case kTrusted:
    case kRcu:
    case kAllocated | kNonOwning:
    case kAllocated | kNonOwning | kRcu: return true;
    default: return false;
  }
}

}  // namespace

Checked check_argument_offset(Walk& walk, unsigned number, Handover handover) {
  const Register reg = walk.peek(number);
  if (handover == Handover::Releases) {
    if (reg.kind != Kind::Scalar && reg.offset != 0)
      return walk.reject(EINVAL, "R{} must have zero offset when passed to release func or trusted arg to kfunc",
                         number);
    return check_pointer_offset(walk, reg, number);
  }
  if (is_memory(reg)) return {};
  return check_pointer_offset(walk, reg, number, is_object(reg));
}

}  // namespace skep::verifier
