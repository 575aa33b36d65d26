#include "verifier/step/global.h"

#include "verifier/step/access.h"
#include "verifier/step/argument_offset.h"
#include "verifier/step/btf_match.h"
#include "verifier/step/call.h"
#include "verifier/step/dynptr.h"

namespace skep::verifier {
namespace {

// ---- The start of a function

// The register of an argument when the function is verified for whatever its callers may pass.
Register at_start(Walk& walk, const Argument& argument) {
  switch (argument.kind) {
    case Argument::Kind::Scalar:
    case Argument::Kind::Arena: return Register::unknown();
    case Argument::Kind::Context: return Register::pointer(Kind::Context);
    case Argument::Kind::Memory: {
      Register reg = Register::pointer(Kind::Memory, argument.may_be_null ? kOrNull : Traits{0});
      reg.memory_size = argument.memory_size;
      reg.id = walk.new_id();
      return reg;
    }
    case Argument::Kind::Dynptr: {
      Register reg = Register::pointer(Kind::Dynptr);
      reg.dynptr = DynptrType::Local;
      reg.first_slot = true;
      reg.id = walk.new_id();
      return reg;
    }
    case Argument::Kind::Object: {
      Register reg = Register::pointer(Kind::Btf, static_cast<Traits>(kTrusted | (argument.may_be_null ? kOrNull : 0)));
      reg.btf = spec::kKernelBtf;
      reg.btf_type = argument.btf_type;
      reg.id = walk.new_id();
      return reg;
    }
  }
  return {};
}

// The main program gets its context whatever its BTF says; then it is only noted that the BTF cannot be relied on.
void start_main(Walk& walk) {
  Subprog& main = walk.subprogs.front();
  if (!walk.funcs.empty()) {
    const Checked read = read_prototype(walk, 0);
    if (!read && !walk.rejection->message.empty()) walk.say("{}", walk.rejection->message);
    walk.rejection.reset();
    main.has_unreliable_btf =
        !read || main.prototype->count != 1 || main.prototype->arguments.front().kind != Argument::Kind::Context;
  }
  walk.reg(1) = Register::pointer(Kind::Context);
}

// ---- Arguments of a call

Checked check_object(Walk& walk, unsigned number, const Argument& argument) {
  const Register reg = walk.peek(number);
  if (argument.may_be_null && reg.is_zero()) return walk.mark_precise(number);
  const Traits kept = argument.may_be_null ? static_cast<Traits>(reg.traits & ~kOrNull) : reg.traits;
  if (reg.kind != Kind::Btf || (kept != 0 && kept != kTrusted && kept != kRcu))
    return walk.reject(EACCES, "R{} type={} expected=ptr_, trusted_ptr_, rcu_ptr_", number, reg.type_name());
  const TypeIn has{reg.btf == spec::kKernelBtf ? walk.input.kernel_btf : walk.input.btf, reg.btf_type};
  const TypeIn needed{walk.input.kernel_btf, argument.btf_type};
  if (!is_or_contains(has, reg.offset, needed, Match::Nested))
    return walk.reject(EACCES, "R{} is of type {} but {} is expected", number,
                       walk.names.btf_type(reg.btf, reg.btf_type),
                       walk.names.btf_type(spec::kKernelBtf, argument.btf_type));
  return check_argument_offset(walk, number);
}

Checked check_memory(Walk& walk, unsigned number, const Argument& argument) {
  TRY_VOID(check_argument_offset(walk, number));
  if (!check_memory_argument(walk, number, argument.memory_size)) {
    walk.rejection->code = EINVAL;
    return std::unexpected(Rejected{});
  }
  if (!argument.may_be_null && walk.peek(number).may_be_null())
    return walk.reject(EINVAL, "arg#{} is expected to be non-NULL", number - 1);
  return walk.peek(number).is_zero() ? walk.mark_precise(number) : Checked{};
}

Checked check_argument(Walk& walk, unsigned number, const Argument& argument) {
  const Register& reg = walk.peek(number);
  switch (argument.kind) {
    case Argument::Kind::Scalar:
      if (!reg.is_scalar()) return walk.reject(EINVAL, "R{} is not a scalar", number);
      return {};
    case Argument::Kind::Context:
      TRY_VOID(check_argument_offset(walk, number));
      if (walk.peek(number).kind != Kind::Context)
        return walk.reject(EINVAL, "arg#{} expects pointer to ctx", number - 1);
      return {};
    case Argument::Kind::Memory: return check_memory(walk, number, argument);
    case Argument::Kind::Arena:
      if (reg.kind != Kind::Arena && !reg.is_scalar())
        return walk.reject(EINVAL, "R{} is not a pointer to arena or scalar.", number);
      return {};
    case Argument::Kind::Dynptr:
      TRY_VOID(check_argument_offset(walk, number));
      return check_dynptr(walk, number, std::nullopt, DynptrUse::Reads);
    case Argument::Kind::Object: return check_object(walk, number, argument);
  }
  return {};
}

}  // namespace

Checked start_function(Walk& walk, std::uint32_t subprog) {
  Frame& frame = walk.mutable_frame();
  frame.subprog = subprog;
  frame.registers.fill(Register{});
  frame.registers[isa::kRegisters - 1] = Register::pointer(Kind::Stack);
  if (subprog == 0 && walk.input.type != spec::ProgType::Ext) {
    start_main(walk);
    return {};
  }
  const Subprog& function = walk.subprogs[subprog];
  walk.say("Validating {}() func#{}...", function.name, subprog);
  TRY_VOID(read_prototype(walk, subprog));
  if (function.is_exception_callback) return walk.unsupported("exception callbacks");
  for (unsigned i = 0; i < function.prototype->count; ++i)
    walk.reg(i + 1) = at_start(walk, function.prototype->arguments[i]);
  return {};
}

Checked check_call_arguments(Walk& walk, std::uint32_t subprog) {
  Subprog& function = walk.subprogs[subprog];
  if (walk.funcs.empty() || function.has_unreliable_btf) return walk.reject(EINVAL, "");
  Checked fits = read_prototype(walk, subprog);
  for (unsigned i = 0; fits && i < function.prototype->count; ++i)
    fits = check_argument(walk, i + 1, function.prototype->arguments[i]);
  if (!fits) function.has_unreliable_btf = true;
  return fits;
}

}  // namespace skep::verifier
