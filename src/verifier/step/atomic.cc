// Atomic operations: a load, and a store of nobody knows what.
#include "verifier/step/access.h"

namespace skep::verifier {
namespace {

using isa::Form;
using isa::Insn;
using isa::Op;

constexpr std::uint8_t kSize = 0x18, kWord = 0x00, kDoubleWord = 0x18;
constexpr unsigned kExpected = 0;  // the register that compare-and-exchange compares with, and loads

bool is_read_modify_write(Op op) {
  const Form form = isa::form(op);
  return op != Op::Invalid && (form == Form::Atomic || form == Form::AtomicFetch || form == Form::AtomicCmpXchg);
}

// The operation that the immediate names, at any width: sizes are looked at after it.
Op operation_of(const Insn& insn) {
  Insn wide = insn;
  wide.code = static_cast<std::uint8_t>((insn.code & ~kSize) | kDoubleWord);
  const Op op = isa::decode(wide);
  return is_read_modify_write(op) ? op : Op::Invalid;
}

// Those that x86 has no instruction for Linux does not make of an arena's memory, where they might fault in a loop.
bool is_loop(Op op) {
  const isa::AtomicOp what = isa::atomic_op(op);
  return isa::form(op) == Form::AtomicFetch && what != isa::AtomicOp::Add && what != isa::AtomicOp::Xchg;
}

bool is_atomic_target(Kind kind, Op op) {
  switch (kind) {
    case Kind::Arena: return !is_loop(op);
    case Kind::Context:
    case Kind::Packet:
    case Kind::PacketMeta:
    case Kind::FlowKeys:
    case Kind::Socket:
    case Kind::SockCommon:
    case Kind::TcpSock:
    case Kind::XdpSock: return false;
    default: return true;
  }
}

Checked check_operands(Walk& walk, const Insn& insn, Op op) {
  const Form form = isa::form(op);
  TRY_VOID(walk.check_read(insn.src));
  TRY_VOID(walk.check_read(insn.dst));
  if (form == Form::AtomicCmpXchg) {
    TRY_VOID(walk.check_read(kExpected));
    if (is_secret(walk, walk.peek(kExpected))) return walk.reject(EACCES, "R{} leaks addr into mem", kExpected);
  }
  if (is_secret(walk, walk.peek(insn.src)))
    return walk.reject(EACCES, "R{} leaks addr into mem", static_cast<unsigned>(insn.src));
  const Register& base = walk.peek(insn.dst);
  if (!base.may_be_null() && !is_atomic_target(base.kind, op))
    return walk.reject(EACCES, "BPF_ATOMIC stores into R{} {} is not allowed", static_cast<unsigned>(insn.dst),
                       base.type_name());
  return {};
}

std::optional<unsigned> loaded_register(const Insn& insn, Form form) {
  if (form == Form::Atomic) return std::nullopt;
  return form == Form::AtomicCmpXchg ? kExpected : unsigned{insn.src};
}

}  // namespace

Checked step_atomic(Walk& walk, Op, const Insn& insn) {
  const Op op = operation_of(insn);
  if (op == Op::Invalid)
    return walk.reject(EINVAL, "BPF_ATOMIC uses invalid atomic opcode {:02x}", static_cast<std::uint32_t>(insn.imm));
  const std::uint8_t size = insn.code & kSize;
  if (size != kWord && size != kDoubleWord) return walk.reject(EINVAL, "invalid atomic operand size");
  const Form form = isa::form(op);
  TRY_VOID(check_operands(walk, insn, op));
  const auto loaded = loaded_register(insn, form);
  if (loaded) {
    TRY_VOID(walk.check_write(*loaded));
    walk.set(*loaded, Register::unknown());
  }
  Access access{.base = insn.dst, .offset = insn.off, .size = size == kWord ? 4U : 8U, .is_strict = true};
  TRY_VOID(check_access(walk, access));  // as a number
  if (loaded) {
    access.value = loaded;
    TRY_VOID(check_access(walk, access));
    access.value.reset();
  }
  if (walk.peek(insn.dst).kind == Kind::Arena) TRY_VOID(remember_pointer(walk, Kind::Arena, 0, Direction::Write));
  access.direction = Direction::Write;
  return check_access(walk, access);
}

}  // namespace skep::verifier
