// What a program is attached to: a function of the kernel, or of another program.
#include <algorithm>
#include <string_view>

#include "base/errno.h"
#include "btf/btf.h"
#include "spec/uapi.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using spec::AttachTarget;
using spec::AttachType;
using spec::ProgType;

constexpr std::string_view kTracepointPrefix = "btf_trace_", kHookPrefix = "bpf_lsm_", kIteratorPrefix = "bpf_iter_";

constexpr std::string_view kIterators[] = {
#define ITERATOR(name) #name,
#include "verifier/prepare/target_rules.def"
};
constexpr std::string_view kDisabledHooks[] = {
#define DISABLED_HOOK(name) #name,
#include "verifier/prepare/target_rules.def"
};
constexpr std::string_view kSleepableHooks[] = {
#define SLEEPABLE_HOOK(name) #name,
#include "verifier/prepare/target_rules.def"
};

enum class Result : std::uint8_t { Fixed, Modifiable };
enum class Context : std::uint8_t { Runs, Sleeps };
enum class Helpers : std::uint8_t { Some, None };
enum class Sleeping : std::uint8_t { Any, ByMember };
struct FunctionRule {
  std::string_view name;  // ends with * for all that begin so
  Result result = Result::Fixed;
  Context context = Context::Runs;
};
constexpr FunctionRule kFunctions[] = {
#define FUNCTION(name, result, context) {name, Result::result, Context::context},
#include "verifier/prepare/target_rules.def"
};

struct StructureRule {
  std::string_view name;
  Helpers helpers = Helpers::Some;
  Sleeping sleeping = Sleeping::Any;
};
constexpr StructureRule kStructures[] = {
#define STRUCTURE(name, helpers, sleeping) {#name, Helpers::helpers, Sleeping::sleeping},
#include "verifier/prepare/target_rules.def"
};
enum class Support : std::uint8_t { None, Sleeps };
struct MemberRule {
  std::string_view structure, name;
  Support support;
};
constexpr MemberRule kMembers[] = {
#define MEMBER(structure, name, support) {#structure, #name, Support::support},
#include "verifier/prepare/target_rules.def"
};

template <std::size_t N>
bool lists(const std::string_view (&names)[N], std::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

FunctionRule rule_of(std::string_view name) {
  for (const FunctionRule& rule : kFunctions) {
    const bool is_prefix = rule.name.ends_with('*');
    if (is_prefix ? name.starts_with(rule.name.substr(0, rule.name.size() - 1)) : name == rule.name) return rule;
  }
  return {};
}

// ---- Whether the program may sleep

bool sleeps(const Walk& walk) { return (walk.input.flags & spec::kSleepable) != 0; }

bool can_sleep(ProgType type, AttachType attach) {
  switch (type) {
    case ProgType::Tracing:
      return attach == AttachType::TraceFentry || attach == AttachType::TraceFexit ||
             attach == AttachType::ModifyReturn || attach == AttachType::TraceIter;
    case ProgType::Lsm: return attach != AttachType::LsmCgroup;
    case ProgType::Kprobe:  // uprobes only, which shows when it is attached
    case ProgType::StructOps: return true;
    default: return false;
  }
}

// ---- A function of another program

Checked check_program(Walk& walk, const btf::Type& function) {
  const AttachTarget& target = walk.input.target;
  const bool extends = walk.input.type == ProgType::Ext;
  const auto which = std::ranges::find(target.functions, function.id(), &spec::TargetFunction::type_id);
  if (which == target.functions.end()) return walk.reject(EINVAL, "Subprog {} doesn't exist", function.name());
  if (which->is_exception_callback)
    return walk.reject(EINVAL, "{} programs cannot attach to exception callback",
                       extends ? "Extension" : "FENTRY/FEXIT");
  if (extends && which->is_unreliable) return walk.reject(EINVAL, "Cannot replace static functions");
  if (extends && walk.subprogs[0].changes_packet && !which->changes_packet)
    return walk.reject(EINVAL, "Extension program changes packet data, while original does not");
  if (!extends && target.program_type == ProgType::Tracing && target.program_is_attached)
    return walk.reject(EINVAL, "Cannot nest tracing program attach more than once");
  if (extends && target.program_type == walk.input.type) return walk.reject(EINVAL, "Cannot recursively attach");
  const bool traces_functions =
      target.program_attach == AttachType::TraceFentry || target.program_attach == AttachType::TraceFexit;
  if (extends && target.program_type == ProgType::Tracing && traces_functions)
    return walk.reject(EINVAL, "Cannot extend fentry/fexit");
  if (!which->is_unreliable) walk.attached.proto = function.type();
  return {};
}

// ---- Whether an extension can stand for the function it replaces

struct Side {
  const btf::Btf& types;
  const btf::Type function;

  btf::Type proto() const { return types.type(function.type()); }
  btf::Type plain(std::uint32_t id) const { return types.type(types.resolve(id)); }
  std::string_view name() const { return function.name(); }
};

bool is_number(btf::Kind kind) {
  return kind == btf::Kind::Int || kind == btf::Kind::Enum || kind == btf::Kind::Enum64;
}
bool has_size(btf::Kind kind) {
  return is_number(kind) || btf::is_composite(kind) || kind == btf::Kind::Datasec || kind == btf::Kind::Float;
}

Checked match_argument(const Walk& walk, const Side& ours, const Side& theirs, std::uint32_t i) {
  const btf::Type a = ours.plain(ours.proto().param(i).type), b = theirs.plain(theirs.proto().param(i).type);
  if (a.raw().info != b.raw().info)
    return walk.reject(EINVAL, "arg{} in {}() is {} while {}() has {}", i, ours.name(), btf::name(a.kind()),
                       theirs.name(), btf::name(b.kind()));
  if (has_size(a.kind()) && a.size() != b.size())
    return walk.reject(EINVAL, "arg{} in {}() has size {} while {}() has {}", i, ours.name(), a.size(), theirs.name(),
                       b.size());
  if (is_number(a.kind())) return {};
  if (a.kind() != btf::Kind::Ptr) return walk.reject(EINVAL, "arg{} in {}() has unrecognized type", i, ours.name());
  const btf::Type to_a = ours.plain(a.type()), to_b = theirs.plain(b.type());
  if (!btf::is_composite(to_a.kind()))
    return walk.reject(EINVAL, "arg{} in {}() is not a pointer to context", i, ours.name());
  if (!btf::is_composite(to_b.kind()))
    return walk.reject(EINVAL, "arg{} in {}() is not a pointer to context", i, theirs.name());
  if (to_a.name() == to_b.name()) return {};
  return walk.reject(EINVAL, "arg{} {}(struct {} *) doesn't match {}(struct {} *)", i, ours.name(), to_a.name(),
                     theirs.name(), to_b.name());
}

Checked match_signature(const Walk& walk, const btf::Btf& types, const btf::Type& function) {
  if (walk.funcs.empty()) return walk.reject(EINVAL, "Program extension requires BTF");
  const Side ours{*walk.input.btf, walk.input.btf->type(walk.funcs[0].type_id)}, theirs{types, function};
  for (const Side* side : {&ours, &theirs})
    if (side->function.linkage() != btf::Linkage::Global)
      return walk.reject(EINVAL, "{}() is not a global function", side->name());
  const std::uint32_t count = ours.proto().vlen(), wanted = theirs.proto().vlen();
  if (count != wanted)
    return walk.reject(EINVAL, "{}() has {} args while {}() has {} args", ours.name(), count, theirs.name(), wanted);
  const btf::Type a = ours.plain(ours.proto().type()), b = theirs.plain(theirs.proto().type());
  if (a.raw().info != b.raw().info)
    return walk.reject(EINVAL, "Return type {} of {}() doesn't match type {} of {}()", btf::name(a.kind()), ours.name(),
                       btf::name(b.kind()), theirs.name());
  for (std::uint32_t i = 0; i < count; ++i) TRY_VOID(match_argument(walk, ours, theirs, i));
  return {};
}

// ---- By attach type

Checked attach_tracepoint(Walk& walk, const btf::Btf& types, const btf::Type& type) {
  if (walk.input.target.is_program)
    return walk.reject(EINVAL, "Only FENTRY/FEXIT progs are attachable to another BPF prog");
  if (type.kind() != btf::Kind::Typedef) return walk.reject(EINVAL, "attach_btf_id {} is not a typedef", type.id());
  if (!type.name().starts_with(kTracepointPrefix))
    return walk.reject(EINVAL, "attach_btf_id {} points to wrong type name {}", type.id(), type.name());
  const btf::Type pointer = types.type(type.type());
  if (pointer.kind() != btf::Kind::Ptr || types.type(pointer.type()).kind() != btf::Kind::FuncProto)
    return walk.reject(EINVAL, "");
  walk.attached.proto = pointer.type();
  walk.attached.name = type.name().substr(kTracepointPrefix.size());
  walk.attached.is_tracepoint = true;
  return {};
}

Checked attach_iterator(Walk& walk, const btf::Type& type) {
  if (type.kind() != btf::Kind::Func) return walk.reject(EINVAL, "attach_btf_id {} is not a function", type.id());
  walk.attached.proto = type.type();
  const std::string_view name = type.name();
  if (name.starts_with(kIteratorPrefix) && lists(kIterators, name.substr(kIteratorPrefix.size()))) return {};
  return walk.reject(EINVAL, "");
}

bool is_sleepable_hook(std::string_view name) {
  return name.starts_with(kHookPrefix) && lists(kSleepableHooks, name.substr(kHookPrefix.size()));
}

Checked check_sleeping(const Walk& walk, std::string_view name) {
  const bool is_hook = walk.input.type == ProgType::Lsm;
  const bool may = is_hook ? is_sleepable_hook(name)
                           : walk.input.type == ProgType::Tracing && rule_of(name).context == Context::Sleeps;
  return may ? Checked{} : walk.reject(EINVAL, "{} is not sleepable", name);
}

Checked attach_function(Walk& walk, const btf::Btf& types, const btf::Type& type) {
  const AttachTarget& target = walk.input.target;
  if (type.kind() != btf::Kind::Func) return walk.reject(EINVAL, "attach_btf_id {} is not a function", type.id());
  if (walk.input.type == ProgType::Ext) TRY_VOID(match_signature(walk, types, type));
  if (!target.is_program) walk.attached.proto = type.type();
  walk.attached.may_sleep = walk.input.type == ProgType::Lsm && is_sleepable_hook(type.name());
  if (sleeps(walk)) return check_sleeping(walk, type.name());
  if (walk.input.attach != AttachType::ModifyReturn) return {};
  if (target.is_program) return walk.reject(EINVAL, "can't modify return codes of BPF programs");
  if (rule_of(type.name()).result == Result::Modifiable) return {};
  return walk.reject(EINVAL, "{}() is not modifiable", type.name());
}

Checked attach_by_type(Walk& walk, const btf::Btf& types, const btf::Type& type) {
  switch (walk.input.attach) {
    case AttachType::TraceRawTp: return attach_tracepoint(walk, types, type);
    case AttachType::TraceIter: return attach_iterator(walk, type);
    case AttachType::ModifyReturn:
    case AttachType::LsmMac:
    case AttachType::LsmCgroup:
    case AttachType::TraceFentry:
    case AttachType::TraceFexit: return attach_function(walk, types, type);
    default:
      return walk.input.type == ProgType::Ext ? attach_function(walk, types, type) : Checked(walk.reject(EINVAL, ""));
  }
}

Checked check_hook(const Walk& walk, const btf::Type& type) {
  if (walk.input.license != spec::License::Gpl)
    return walk.reject(EINVAL, "LSM programs must have a GPL compatible license");
  const bool is_hook = type.name().starts_with(kHookPrefix);
  if (is_hook && lists(kDisabledHooks, type.name().substr(kHookPrefix.size())))
    return walk.reject(EINVAL, "attach_btf_id {} points to disabled hook {}", type.id(), type.name());
  if (is_hook) return {};
  return walk.reject(EINVAL, "attach_btf_id {} points to wrong type name {}", type.id(), type.name());
}

Checked attach(Walk& walk) {
  const AttachTarget& target = walk.input.target;
  const bool extends = walk.input.type == ProgType::Ext;
  if (target.btf_id == 0) return walk.reject(EINVAL, "Tracing programs must provide btf_id");
  if (target.btf == nullptr)
    return walk.reject(EINVAL, "FENTRY/FEXIT program can only be attached to another program annotated with BTF");
  if (!target.btf->has(target.btf_id)) return walk.reject(EINVAL, "attach_btf_id {} is invalid", target.btf_id);
  const btf::Type type = target.btf->type(target.btf_id);
  if (type.name().empty()) return walk.reject(EINVAL, "attach_btf_id {} doesn't have a name", target.btf_id);
  walk.attached = {.btf = target.btf, .function = type.id(), .proto = 0, .name = type.name()};
  if (target.is_program) TRY_VOID(check_program(walk, type));
  if (!target.is_program && extends) return walk.reject(EINVAL, "Cannot replace kernel functions");
  TRY_VOID(attach_by_type(walk, *target.btf, type));
  if (extends) walk.type = target.program_type, walk.attach = target.program_attach;
  return walk.input.type == ProgType::Lsm ? check_hook(walk, type) : Checked{};
}

// ---- A function of a structure of functions that the kernel calls

// A structure can be replaced when there is one that wraps it.
bool is_replaceable(const btf::Btf& types, const btf::Type& structure) {
  const std::string wrapper = fmt::format("bpf_struct_ops_{}", structure.name());
  return structure.kind() == btf::Kind::Struct && types.find(wrapper, btf::Kind::Struct).has_value();
}

// The prototype of a member that is a pointer to a function; 0: it is none.
std::uint32_t prototype_of(const btf::Btf& types, const btf::Member& member) {
  const btf::Type pointer = types.type(types.resolve(member.type));
  if (pointer.kind() != btf::Kind::Ptr) return 0;
  const btf::Type proto = types.type(types.resolve(pointer.type()));
  return proto.kind() == btf::Kind::FuncProto ? proto.id() : 0;
}

StructureRule rule_of_structure(std::string_view name) {
  const auto rule = std::ranges::find(kStructures, name, &StructureRule::name);
  return rule == std::end(kStructures) ? StructureRule{name} : *rule;
}

Checked check_member(const Walk& walk, const StructureRule& structure, std::string_view name) {
  const auto rule = std::ranges::find_if(
      kMembers, [&](const MemberRule& row) { return row.structure == structure.name && row.name == name; });
  const bool has_rule = rule != std::end(kMembers);
  const bool supported = !has_rule || rule->support != Support::None;
  const bool may_sleep = structure.sleeping == Sleeping::Any || (has_rule && rule->support == Support::Sleeps);
  if (supported && (may_sleep || !sleeps(walk))) return {};
  return walk.reject(supported ? EINVAL : kNotSupported, "attach to unsupported member {} of struct {}", name,
                     structure.name);
}

Checked attach_member(Walk& walk) {
  if (walk.input.license != spec::License::Gpl)
    return walk.reject(EINVAL, "struct ops programs must have a GPL compatible license");
  const AttachTarget& target = walk.input.target;
  if (target.btf_id == 0 || target.btf == nullptr) return walk.reject(kNotSupported, "");
  const btf::Btf& types = *target.btf;
  if (!types.has(target.btf_id) || !is_replaceable(types, types.type(target.btf_id)))
    return walk.reject(kNotSupported, "attach_btf_id {} is not a supported struct", target.btf_id);
  const btf::Type structure = types.type(target.btf_id);
  const auto index = std::to_underlying(walk.input.attach);
  if (index >= structure.vlen())
    return walk.reject(EINVAL, "attach to invalid member idx {} of struct {}", index, structure.name());
  const btf::Member member = structure.member(index);
  const std::uint32_t proto = prototype_of(types, member);
  if (proto == 0)
    return walk.reject(EINVAL, "attach to invalid member {}(@idx {}) of struct {}", member.name, index,
                       structure.name());
  const StructureRule rule = rule_of_structure(structure.name());
  walk.attached = {.btf = &types,
                   .proto = proto,
                   .name = member.name,
                   .structure = structure.name(),
                   .may_call_helpers = rule.helpers == Helpers::Some};
  return check_member(walk, rule, member.name);
}

}  // namespace

Checked check_target(Walk& walk) {
  walk.index = 0;
  const ProgType type = walk.input.type;
  if (type == ProgType::Syscall)
    return sleeps(walk) ? Checked{} : walk.reject(EINVAL, "Syscall programs can only be sleepable");
  if (sleeps(walk) && !can_sleep(type, walk.input.attach))
    return walk.reject(EINVAL,
                       "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable");
  if (type == ProgType::StructOps) return attach_member(walk);
  if (type != ProgType::Tracing && type != ProgType::Lsm && type != ProgType::Ext) return {};
  return attach(walk);
}

}  // namespace skep::verifier
