// The context of programs that are attached to functions: 8 bytes for each argument, known by the function's prototype.
#include "base/bytes.h"
#include "spec/btf_rules.h"
#include "verifier/step/memory.h"

namespace skep::verifier {
namespace {

using btf::Btf;
using btf::Type;
using spec::AttachType;
using spec::ProgType;

constexpr std::int32_t kArgumentBytes = 8;
constexpr std::uint32_t kMostArguments = 12;    // of a tracing context
constexpr std::uint32_t kUnknownArguments = 5;  // of a function without a prototype

// Each argument begins at a multiple of 8 bytes; structures take as many as they need.
std::uint32_t bytes_of(const Btf& btf, std::uint32_t id) {
  return static_cast<std::uint32_t>(round_up(btf.size_of(btf.resolve(id)).value_or(0), std::size_t{kArgumentBytes}));
}

class Arguments {
 public:
  Arguments(Walk& walk, const Target& target)
      : walk_(walk), target_(target), attached_(walk.attached), hidden_(attached_.is_tracepoint ? 1 : 0) {}

  Checked access(Register& loaded);

 private:
  bool has_prototype() const { return attached_.btf != nullptr && attached_.proto != 0; }
  Type prototype() const { return attached_.btf->type(attached_.proto); }
  std::uint32_t count() const { return has_prototype() ? prototype().vlen() - hidden_ : kUnknownArguments; }
  std::uint32_t index() const;

  template <class... Args>
  std::unexpected<Rejected> refuse(fmt::format_string<Args...> format, Args&&... args) {
    walk_.say(format, std::forward<Args>(args)...);
    return refuse();
  }
  std::unexpected<Rejected> refuse() {
    return walk_.reject(EACCES, "invalid bpf_context access off={} size={}", target_.offset, target_.access.size);
  }
  std::unexpected<Rejected> refuse_absent(std::uint32_t argument) {
    return refuse("func '{}' doesn't have {}-th argument", attached_.name, argument + 1);
  }

  Checked access_result(Register& loaded);
  Checked access_value(std::uint32_t argument, std::uint32_t type, Register& loaded);
  Checked access_pointer(std::uint32_t argument, const Type& pointer, Register& loaded);
  Checked access_iterated(const spec::ArgumentRule& rule, Register& loaded);
  Checked access_context_of_program(const Type& pointer, Traits traits, Register& loaded);
  Traits trust(std::uint32_t argument) const;
  bool may_be_null(std::uint32_t argument) const;
  Register object(std::uint32_t type, Traits traits) const;

  Walk& walk_;
  const Target& target_;
  const Attached& attached_;
  std::uint32_t hidden_;  // parameters of the prototype that are none of the program's
};

// Among all parameters of the prototype, hidden ones too; one more than there are for the result, and beyond.
std::uint32_t Arguments::index() const {
  const auto at = static_cast<std::uint32_t>(target_.offset);
  if (!has_prototype()) return at / kArgumentBytes;
  const Btf& btf = *attached_.btf;
  const Type proto = prototype();
  std::uint32_t end = 0;
  for (std::uint32_t i = 0; i < proto.vlen(); ++i) {
    end += bytes_of(btf, proto.param(i).type);
    if (at < end) return i;
  }
  end += bytes_of(btf, proto.type());
  return at < end ? proto.vlen() : proto.vlen() + 1;
}

Checked Arguments::access(Register& loaded) {
  const std::int32_t offset = target_.offset;
  const auto size = static_cast<std::int32_t>(target_.access.size);
  const bool in_range = offset >= 0 && offset < kArgumentBytes * static_cast<std::int32_t>(kMostArguments);
  if (!in_range || !target_.reads() || offset % size != 0) return refuse();
  if (offset % kArgumentBytes != 0) return refuse("func '{}' offset {} is not multiple of 8", attached_.name, offset);
  const std::uint32_t argument = index();
  if (argument > count()) return refuse_absent(argument);
  if (argument == count()) return access_result(loaded);
  if (!has_prototype()) return {};
  return access_value(argument, prototype().param(argument + hidden_).type, loaded);
}

// Behind the arguments lies what the function returned, for programs that run after it.
Checked Arguments::access_result(Register& loaded) {
  switch (walk_.attach) {
    case AttachType::LsmMac:
      if (target_.access.value && walk_.type == ProgType::Lsm) {
        constexpr std::int64_t kMostErrno = 4095;
        const bool boolean = spec::is_boolean_hook(attached_.name);
        loaded.number.full.smin = loaded.number.half.smin = boolean ? 0 : -kMostErrno;
        loaded.number.full.smax = loaded.number.half.smax = boolean ? 1 : 0;
        loaded.number.sync(walk_.rules);
      }
      [[fallthrough]];
    case AttachType::LsmCgroup:
    case AttachType::TraceFexit:
      if (!has_prototype()) return {};
      break;
    case AttachType::ModifyReturn: {
      if (!has_prototype()) return refuse();
      const Type result = attached_.btf->type(attached_.btf->resolve(prototype().type()));
      if (result.kind() != btf::Kind::Int)
        return refuse("ret type {} not allowed for fmod_ret", btf::name(result.kind()));
      break;
    }
    default: return refuse_absent(count());
  }
  return access_value(count(), prototype().type(), loaded);
}

Checked Arguments::access_value(std::uint32_t argument, std::uint32_t id, Register& loaded) {
  const Type type = attached_.btf->type(attached_.btf->resolve(id));
  const bool is_number = (type.kind() == btf::Kind::Int && type.size() <= kSlotBytes) ||
                         type.kind() == btf::Kind::Enum || type.kind() == btf::Kind::Enum64 ||
                         type.kind() == btf::Kind::Struct;
  if (is_number) return {};
  if (type.kind() != btf::Kind::Ptr)
    return refuse("func '{}' arg{} '{}' has type {}. Only pointer access is allowed", attached_.name, argument,
                  type.name(), btf::name(type.kind()));
  if (target_.access.size != kSlotBytes)
    return refuse("func '{}' size {} must be 8", attached_.name, target_.access.size);
  return access_pointer(argument, type, loaded);
}

Traits Arguments::trust(std::uint32_t argument) const {
  Traits traits = 0;
  const bool traced = walk_.type == ProgType::Tracing &&
                      (walk_.attach == AttachType::TraceRawTp || walk_.attach == AttachType::TraceIter);
  const bool is_trusting_hook = walk_.type == ProgType::Lsm && !spec::is_untrusted_hook(attached_.name);
  if (traced || is_trusting_hook || walk_.type == ProgType::StructOps) traits |= kTrusted;
  if (may_be_null(argument)) traits |= kOrNull;
  return traits;
}

// Of members the kernel's own functions name the parameters.
bool Arguments::may_be_null(std::uint32_t argument) const {
  constexpr std::string_view kMark = "__nullable";
  const Btf& btf = *attached_.btf;
  if (argument >= count()) return false;
  if (attached_.structure.empty()) return prototype().param(argument + hidden_).name.ends_with(kMark);
  const auto own = btf.find(fmt::format("{}__{}", attached_.structure, attached_.name), btf::Kind::Func);
  if (!own) return false;
  const Type parameters = btf.type(btf.type(*own).type());
  return argument < parameters.vlen() && parameters.param(argument).name.ends_with(kMark);
}

// Arguments of iterators are what their table says.
Checked Arguments::access_iterated(const spec::ArgumentRule& rule, Register& loaded) {
  const bool read_only = rule.kind == spec::ArgumentKind::ReadOnlyBuffer;
  if (read_only || rule.kind == spec::ArgumentKind::Buffer) {
    loaded = Register::pointer(Kind::Buffer, read_only ? kOrNull | kReadOnly : kOrNull);
  } else {
    const auto type = attached_.btf->find(rule.structure, btf::Kind::Struct);
    if (!type) return refuse("invalid btf_id for context argument offset {}", target_.offset);
    const bool trusted = rule.kind == spec::ArgumentKind::TrustedObject;
    loaded = Register::pointer(Kind::Btf, trusted ? kOrNull | kTrusted : kOrNull);
    loaded.btf = spec::kKernelBtf;
    loaded.btf_type = *type;
  }
  loaded.id = walk_.new_id();
  return {};
}

// The context of the program that this one is attached to, which is the kernel's object behind it.
Checked Arguments::access_context_of_program(const Type& pointer, Traits traits, Register& loaded) {
  const Type seen = attached_.btf->type(attached_.btf->resolve(pointer.type()));
  const std::string_view behind = spec::kernel_context(walk_.input.target.program_type, seen.name());
  const Btf* kernel = walk_.input.kernel_btf;
  const auto type = behind.empty() || kernel == nullptr ? std::nullopt : kernel->find(behind, btf::Kind::Struct);
  if (!type) return refuse();
  loaded = Register::pointer(Kind::Btf, traits);
  loaded.btf = spec::kKernelBtf;
  loaded.btf_type = *type;
  return {};
}

Checked Arguments::access_pointer(std::uint32_t argument, const Type& pointer, Register& loaded) {
  const Btf& btf = *attached_.btf;
  if (!target_.access.value) return {};
  const auto rule = walk_.attach == AttachType::TraceIter && walk_.type == ProgType::Tracing
                        ? spec::argument_rule(attached_.name, argument)
                        : std::nullopt;
  const bool is_buffer =
      rule && (rule->kind == spec::ArgumentKind::Buffer || rule->kind == spec::ArgumentKind::ReadOnlyBuffer);
  if (is_buffer) return access_iterated(*rule, loaded);
  const Type target = btf.type(btf.resolve(pointer.type()));
  if (pointer.type() == 0 || target.kind() == btf::Kind::Int) return {};  // as good as a number
  if (rule) return access_iterated(*rule, loaded);
  Traits traits = trust(argument);
  if (!attached_.structure.empty() && traits & kOrNull) {
    loaded = object(target.id(), traits);
    return {};
  }
  if (walk_.input.target.is_program) return access_context_of_program(pointer, traits, loaded);
  const Type tag = btf.type(pointer.type());
  if (tag.kind() == btf::Kind::TypeTag && tag.name() == "user") traits |= kUser;
  if (tag.kind() == btf::Kind::TypeTag && tag.name() == "percpu") traits |= kPercpu;
  if (!btf::is_composite(target.kind()))
    return refuse("func '{}' arg{} type {} is not a struct", attached_.name, argument, btf::name(target.kind()));
  walk_.say("func '{}' arg{} has btf_id {} type {} '{}'", attached_.name, argument, target.id(),
            btf::name(target.kind()), target.name());
  loaded = object(target.id(), traits);
  return {};
}

// Functions of a congestion control are given TCP's sockets.
Register Arguments::object(std::uint32_t type, Traits traits) const {
  Register made = Register::pointer(Kind::Btf, traits);
  made.btf = attached_.btf == walk_.input.kernel_btf ? spec::kKernelBtf : spec::kProgramBtf;
  made.btf_type = type;
  if (attached_.structure == "tcp_congestion_ops" && attached_.btf->type(type).name() == "sock")
    made.btf_type = attached_.btf->find("tcp_sock", btf::Kind::Struct).value_or(type);
  if (traits & kOrNull) made.id = walk_.new_id();
  return made;
}

}  // namespace

Checked access_arguments(Walk& walk, const Target& target, Register& loaded) {
  return Arguments(walk, target).access(loaded);
}

}  // namespace skep::verifier
