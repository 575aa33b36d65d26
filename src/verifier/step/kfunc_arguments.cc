// Arguments of kernel functions: what each parameter asks for, from its type, its name and what is in the register.
#include <string_view>

#include "spec/context_types.h"
#include "verifier/step/access.h"
#include "verifier/step/argument_offset.h"
#include "verifier/step/arguments.h"
#include "verifier/step/btf_match.h"
#include "verifier/step/context_pointer.h"
#include "verifier/step/dynptr.h"
#include "verifier/step/kfunc.h"

namespace skep::verifier {
namespace {

using spec::KfuncTrait;

enum class Parameter : std::uint8_t {
  Context,
  Dynptr,
  Iterator,
  String,
  Map,
  Object,
  Callback,
  Null,
  Memory,
  SizedMemory,  // the size is the next argument
  Unsupported,
};

bool is_number(const btf::Btf& types, std::uint32_t id) {
  if (id == 0) return false;
  const btf::Kind kind = types.type(id).kind();
  return kind == btf::Kind::Int || kind == btf::Kind::Enum || kind == btf::Kind::Enum64;
}

bool is_object_kind(const Register& reg) { return reg.kind == Kind::Btf || !kernel_type_behind(reg.kind).empty(); }

// The object lives as long as the program does, or its reference is held.
bool is_trusted_argument(const Register& reg) {
  constexpr Traits kSafe = kAllocated | kTrusted | kNonOwning;
  if (reg.ref_obj_id != 0) return true;
  if (!kernel_type_behind(reg.kind).empty() && reg.traits == 0) return true;
  return (reg.traits & kSafe) != 0 && (reg.traits & ~kSafe) == 0;
}

class Checker {
 public:
  Checker(Walk& walk, KfuncCall& call) : walk_(walk), call_(call), types_(call.types) {}

  Checked check() {
    if (call_.proto.vlen() > kMaxArguments)
      return walk_.reject(EINVAL, "Function {} has {} > {} args", call_.name(), call_.proto.vlen(), kMaxArguments);
    for (unsigned i = 0; i < call_.proto.vlen(); ++i) {
      if (ends(i, "__ign")) continue;
      const std::uint32_t type = types_.resolve(call_.proto.param(i).type);
      if (is_number(types_, type)) {
        TRY_VOID(check_number(i));
        continue;
      }
      if (type == 0 || types_.type(type).kind() != btf::Kind::Ptr)
        return walk_.reject(EINVAL, "Unrecognized arg#{} type {}", i, kind_of(type));
      TRY(const Parameter kind, check_pointer(i, types_.type(type).type()));
      if (kind == Parameter::SizedMemory) ++i;  // with its size
    }
    if (call_.is(KfuncTrait::Releases) && call_.released == 0)
      return walk_.reject(EINVAL, "release kernel function {} expects refcounted PTR_TO_BTF_ID", call_.name());
    return {};
  }

 private:
  bool ends(unsigned i, std::string_view suffix) const { return call_.proto.param(i).name.ends_with(suffix); }
  std::string_view kind_of(std::uint32_t id) const { return id == 0 ? "UNKNOWN" : btf::name(types_.type(id).kind()); }
  std::string_view name_of(std::uint32_t id) const { return id == 0 ? "" : types_.type(id).name(); }
  bool is_struct(std::uint32_t id, std::string_view name) const {
    return id != 0 && types_.type(id).kind() == btf::Kind::Struct && types_.type(id).name() == name;
  }

  // ---- Numbers

  Checked take_constant(unsigned number) {
    const Register reg = walk_.peek(number);
    if (call_.constant) return walk_.reject(EFAULT, "verifier internal error: only one constant argument permitted");
    if (!reg.number.is_constant()) return walk_.reject(EINVAL, "R{} must be a known constant", number);
    call_.constant = reg.number.value();
    return {};
  }

  Checked check_number(unsigned i) {
    const unsigned number = i + 1;
    if (!walk_.peek(number).is_scalar()) return walk_.reject(EINVAL, "R{} is not a scalar", number);
    const std::string_view name = call_.proto.param(i).name;
    if (ends(i, "__k")) {
      TRY_VOID(take_constant(number));
      return walk_.mark_precise(number);
    }
    if (name != "rdonly_buf_size" && name != "rdwr_buf_size") return {};
    if (call_.result_size != 0) return walk_.reject(EINVAL, "2 or more rdonly/rdwr_buf_size parameters for kfunc");
    if (!walk_.peek(number).number.is_constant()) return walk_.reject(EINVAL, "R{} is not a const", number);
    call_.result_is_read_only |= name == "rdonly_buf_size";
    call_.result_size = static_cast<std::uint32_t>(walk_.peek(number).number.value());
    return walk_.mark_precise(number);
  }

  // ---- Pointers

  CheckedOf<Parameter> check_pointer(unsigned i, std::uint32_t pointee) {
    const unsigned number = i + 1;
    const Register reg = walk_.peek(number);
    const bool asks_trust = call_.row.takes_trusted() || call_.is(KfuncTrait::Rcu);
    if (asks_trust && (reg.is_zero() || reg.may_be_null()) && !ends(i, "__nullable"))
      return walk_.reject(EACCES, "Possibly NULL pointer passed to trusted arg{}", i);
    TRY_VOID(note_reference(number, reg));
    const std::uint32_t target = types_.resolve(pointee);
    TRY(const Parameter kind, classify(i, pointee, target, reg));
    if (kind == Parameter::Null || (kind == Parameter::Memory && reg.is_zero())) TRY_VOID(walk_.mark_precise(number));
    if (kind == Parameter::Null) return kind;
    if (kind == Parameter::Map) TRY_VOID(check_map_register(number, reg));
    if ((kind == Parameter::Object || kind == Parameter::Map) && asks_trust) TRY_VOID(check_trust(number, reg));
    const bool releases = call_.is(KfuncTrait::Releases) && reg.ref_obj_id != 0;
    TRY_VOID(check_argument_offset(walk_, number, releases ? Handover::Releases : Handover::Lends));
    TRY_VOID(check_kind(kind, i, target, reg));
    return kind;
  }

  Checked note_reference(unsigned number, const Register& reg) {
    if (reg.ref_obj_id == 0) return {};
    const bool releases = call_.is(KfuncTrait::Releases);
    if (releases && call_.ref_obj_id != 0)
      return walk_.reject(EFAULT, "verifier internal error: more than one arg with ref_obj_id R{} {} {}", number,
                          reg.ref_obj_id, call_.ref_obj_id);
    call_.ref_obj_id = reg.ref_obj_id;
    if (releases) call_.released = number;
    return {};
  }

  Checked check_trust(unsigned number, const Register& reg) {
    if (is_trusted_argument(reg)) return {};
    if (!call_.is(KfuncTrait::Rcu)) return walk_.reject(EINVAL, "R{} must be referenced or trusted", number);
    if (!reg.is(kRcu)) return walk_.reject(EINVAL, "R{} must be a rcu pointer", number);
    return {};
  }

  bool has_size_behind(unsigned i) const {
    if (i + 1 >= call_.proto.vlen() || !walk_.peek(i + 2).is_scalar()) return false;
    if (!is_number(types_, types_.resolve(call_.proto.param(i + 1).type))) return false;
    return ends(i + 1, "__sz") || ends(i + 1, "__szk");
  }

  CheckedOf<Parameter> classify(unsigned i, std::uint32_t pointee, std::uint32_t target, const Register& reg) {
    if (call_.name() == "bpf_cast_to_kern_ctx") return Parameter::Context;
    if (is_context(walk_, types_, pointee, i)) return Parameter::Context;
    if (ends(i, "__nullable") && reg.is_zero()) return Parameter::Null;
    if (ends(i, "__alloc") || ends(i, "__refcounted_kptr") || is_struct(target, "bpf_wq"))
      return Parameter::Unsupported;
    if (is_struct(target, "bpf_dynptr")) return Parameter::Dynptr;
    if (call_.row.is_iterator() ? i == 0 : ends(i, "__iter")) return Parameter::Iterator;
    if (ends(i, "__str")) return Parameter::String;
    if (ends(i, "__map")) return Parameter::Map;
    if (is_object_kind(reg)) {
      if (target != 0 && btf::is_composite(types_.type(target).kind())) return Parameter::Object;
      return walk_.reject(EINVAL, "kernel function {} args#{} pointer type {} {} is not supported", call_.name(), i,
                          kind_of(target), name_of(target));
    }
    if (target != 0 && types_.type(target).kind() == btf::Kind::FuncProto) return Parameter::Callback;
    const bool is_sized = has_size_behind(i);
    const bool is_memory = target == 0 ? is_sized : is_plain_data(types_, target);
    if (!is_memory)
      return walk_.reject(EINVAL, "arg#{} pointer type {} {} must point to {}scalar, or struct with scalar", i,
                          kind_of(target), name_of(target), is_sized ? "void, " : "");
    return is_sized ? Parameter::SizedMemory : Parameter::Memory;
  }

  Checked check_kind(Parameter kind, unsigned i, std::uint32_t target, const Register& reg) {
    switch (kind) {
      case Parameter::Context: return check_context(i, reg);
      case Parameter::Dynptr: return check_dynptr_argument(i, reg);
      case Parameter::Iterator: return check_iterator_argument(i);
      case Parameter::String:
        if (reg.kind != Kind::MapValue) return walk_.reject(EINVAL, "arg#{} doesn't point to a const string", i);
        return check_const_string(walk_, i + 1);
      case Parameter::Map: return check_map_argument(i, reg);
      case Parameter::Object: return check_object(i, target, reg);
      case Parameter::Memory: return check_memory_argument(walk_, i + 1, types_.size_of(target).value_or(0));
      case Parameter::SizedMemory: return check_sized_memory(i, reg);
      case Parameter::Null: return {};
      case Parameter::Callback:
      case Parameter::Unsupported: break;
    }
    return walk_.unsupported("argument {} of kernel function {}", i, call_.name());
  }

  Checked check_context(unsigned i, const Register& reg) {
    if (reg.kind != Kind::Context)
      return walk_.reject(EINVAL, "arg#{} expected pointer to ctx, but got {}", i, reg.type_name());
    if (call_.name() != "bpf_cast_to_kern_ctx") return {};
    const auto type = types_.find(spec::context_type(walk_.type).kernel, btf::Kind::Struct);
    if (!type) return walk_.reject(EINVAL, "kern ctx type id 0 is not a struct");
    call_.context_type = *type;
    return {};
  }

  Checked check_iterator_argument(unsigned i) {
    const bool is_allowed = walk_.type == spec::ProgType::Lsm || walk_.state.may_sleep ||
                            (walk_.type == spec::ProgType::Tracing && walk_.attach == spec::AttachType::TraceIter);
    if (call_.name() == "bpf_iter_css_task_new" && !is_allowed)
      return walk_.reject(EINVAL, "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs");
    return check_iterator(walk_, i + 1, call_);
  }

  // A dynptr that the function makes, or one that is there.
  Checked check_dynptr_argument(unsigned i, const Register& reg) {
    if (ends(i, "__uninit")) {
      const DynptrType type = call_.name() == "bpf_dynptr_from_skb"   ? DynptrType::Skb
                              : call_.name() == "bpf_dynptr_from_xdp" ? DynptrType::Xdp
                                                                      : call_.dynptr.type;
      return init_dynptr(walk_, i + 1, type, call_.dynptr.ref_obj_id);
    }
    const DynptrUse use = reg.kind == Kind::Dynptr ? DynptrUse::Reads : DynptrUse::Changes;
    TRY_VOID(check_dynptr(walk_, i + 1, std::nullopt, use));
    const Register& given = dynptr_of(walk_, i + 1);
    call_.dynptr = {given.dynptr, given.id, given.ref_obj_id};
    return {};
  }

  TypeIn behind(const Register& reg) const {
    if (reg.kind != Kind::Btf)
      return {&types_, types_.find(kernel_type_behind(reg.kind), btf::Kind::Struct).value_or(0)};
    const btf::Btf* btf = reg.btf == spec::kKernelBtf ? &types_ : walk_.input.btf;
    return {btf, btf->resolve(reg.btf_type)};
  }

  // One is the other with "___init": an object that is still being made, which is no alias for one that is done.
  static bool is_alias(std::string_view a, std::string_view b) {
    constexpr std::string_view kSuffix = "___init";
    if (a.size() < b.size()) std::swap(a, b);
    return a.size() == b.size() + kSuffix.size() && a.starts_with(b) && a.ends_with(kSuffix);
  }

  Checked check_object(unsigned i, std::uint32_t target, const Register& reg) {
    constexpr Traits kSafe = kAllocated | kTrusted | kNonOwning;
    const bool is_unsafe = (reg.traits & ~kSafe) != 0 && !reg.is(kRcu);
    if ((reg.kind != Kind::Btf || is_unsafe) && kernel_type_behind(reg.kind).empty())
      return walk_.reject(EINVAL, "arg#{} is {} expected {} or socket", i, reg.type_name(),
                          type_name(reg.kind, static_cast<Traits>(reg.traits & kSafe)));
    const TypeIn has = behind(reg);
    const std::string_view name = has.id == 0 ? "" : has.btf->type(has.id).name();
    const bool strict = (call_.is(KfuncTrait::Releases) && reg.ref_obj_id != 0) || is_alias(name, name_of(target));
    const bool is_same = is_or_contains(has, reg.kind == Kind::Btf ? reg.offset : 0, {&types_, target},
                                        strict ? Match::Strict : Match::Nested);
    if (is_same || takes_projection(name_of(target), name)) return {};
    return walk_.reject(EINVAL, "kernel function {} args#{} expected pointer to {} {} but R{} has a pointer to {} {}",
                        call_.name(), i, kind_of(target), name_of(target), i + 1,
                        has.id == 0 ? "UNKNOWN" : btf::name(has.btf->type(has.id).kind()), name);
  }

  // Registers that hold nothing beside a kind and a number are no maps; this is asked before trust is.
  Checked check_map_register(unsigned number, const Register& reg) {
    const bool has_map = reg.kind == Kind::MapPointer || reg.kind == Kind::MapValue || reg.kind == Kind::MapKey;
    if (has_map || reg.word != 0) return {};
    return walk_.reject(EINVAL, "pointer in R{} isn't map pointer", number);
  }

  // A map, or the kernel's object for one.
  Checked check_map_argument(unsigned i, const Register& reg) {
    const auto type = types_.find(kernel_type_behind(Kind::MapPointer), btf::Kind::Struct);
    if (!type) return walk_.unsupported("maps as arguments of kernel functions without the type of maps");
    return check_object(i, *type, reg);
  }

  // A function that asks for a context takes what is behind it.
  static bool takes_projection(std::string_view wanted, std::string_view given) {
    return (is_flavor_of(wanted, "__sk_buff") && is_flavor_of(given, "sk_buff")) ||
           (is_flavor_of(wanted, "xdp_md") && is_flavor_of(given, "xdp_buff"));
  }

  Checked check_sized_memory(unsigned i, const Register& reg) {
    if (!reg.is_zero() || !ends(i, "__opt")) {
      std::optional<RawMemory> raw;
      const HelperMemory memory{.number = i + 1, .may_be_empty = true, .reads = true, .writes = true};
      if (!check_memory_and_size(walk_, memory, i + 2, raw)) {
        const spec::Rejection why = *walk_.rejection;
        if (!why.message.empty()) walk_.say("{}", why.message);
        return walk_.reject(why.code, "arg#{} arg#{} memory, len pair leads to invalid memory access", i, i + 1);
      }
    }
    return ends(i + 1, "__szk") ? take_constant(i + 2) : Checked{};
  }

  Walk& walk_;
  KfuncCall& call_;
  const btf::Btf& types_;
};

}  // namespace

std::string_view kernel_type_behind(Kind kind) noexcept {
  switch (kind) {
    case Kind::Socket: return "sock";
    case Kind::SockCommon: return "sock_common";
    case Kind::TcpSock: return "tcp_sock";
    case Kind::MapPointer: return "bpf_map";
    default: return "";
  }
}

Checked check_kfunc_arguments(Walk& walk, KfuncCall& call) { return Checker(walk, call).check(); }

}  // namespace skep::verifier
