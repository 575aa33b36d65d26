#include "verifier/step/context_pointer.h"

#include <string_view>

#include "spec/context_types.h"
#include "verifier/step/btf_match.h"

namespace skep::verifier {
namespace {

using btf::Kind;
using spec::AttachType;
using spec::ProgType;

constexpr std::string_view kUserRegisters = "bpf_user_pt_regs_t", kRegisters = "pt_regs";

// A typedef of that name, under modifiers that are none.
bool is_typedef(const btf::Btf& types, std::uint32_t id, std::string_view name) {
  while (id != 0 && btf::is_modifier(types.type(id).kind()) && types.type(id).kind() != Kind::Typedef)
    id = types.type(id).type();
  return id != 0 && types.type(id).kind() == Kind::Typedef && types.type(id).name() == name;
}

bool is_struct(const btf::Type& type, std::string_view name) {
  return type.kind() == Kind::Struct && type.name() == name;
}

bool is_word(const btf::Type& type) { return type.kind() == Kind::Int && type.size() == 8; }

// What a tagged argument may point to although the program type's context has another name, or none.
bool is_accepted_instead(const Walk& walk, const btf::Type& type) {
  switch (walk.type) {
    case ProgType::Kprobe:
    case ProgType::PerfEvent: return is_struct(type, kRegisters);
    case ProgType::RawTracepoint:
    case ProgType::RawTracepointWritable:
    case ProgType::Lsm:
    case ProgType::StructOps: return is_word(type);
    case ProgType::Tracing:
      if (walk.attach == AttachType::TraceRawTp) return is_word(type) || is_struct(type, "bpf_raw_tracepoint_args");
      if (walk.attach == AttachType::TraceIter)
        return type.kind() == Kind::Struct && type.name().starts_with("bpf_iter__");
      return is_word(type) && (walk.attach == AttachType::TraceFentry || walk.attach == AttachType::TraceFexit ||
                               walk.attach == AttachType::ModifyReturn);
    case ProgType::Tracepoint:
    case ProgType::Syscall:
    case ProgType::Ext: return true;
    default: return false;
  }
}

// The structure behind the program's word for its context; empty when there is none.
std::string_view structure_of(ProgType type) {
  switch (type) {
    case ProgType::Kprobe: return kRegisters;
    case ProgType::Tracepoint:
    case ProgType::LircMode2: return "";
    default: return spec::context_type(type).program;
  }
}

}  // namespace

bool is_context(Walk& walk, const btf::Btf& types, std::uint32_t target, unsigned argument) {
  if (walk.type == ProgType::Kprobe && is_typedef(types, target, kUserRegisters)) return true;
  const std::uint32_t id = types.resolve(target);
  if (id == 0 || !btf::is_composite(types.type(id).kind())) return false;
  const std::string_view name = types.type(id).name();
  if (name.empty()) {
    walk.say("arg#{} struct doesn't have a name", argument);
    return false;
  }
  const std::string_view context = spec::context_type(walk.type).program;
  if (context.empty()) return false;
  if (context == "__sk_buff" && is_flavor_of(name, "sk_buff")) return true;
  if (context == "xdp_md" && is_flavor_of(name, "xdp_buff")) return true;
  return name == context || name == structure_of(walk.type);
}

Checked check_tagged_context(Walk& walk, const btf::Btf& types, std::uint32_t target, unsigned argument) {
  const bool takes_registers = walk.type == ProgType::Kprobe || walk.type == ProgType::PerfEvent;
  if (takes_registers && is_typedef(types, target, kUserRegisters)) return {};
  const std::uint32_t id = types.resolve(target);
  if (id == 0) return {};
  const btf::Type type = types.type(id);
  if (type.name().empty()) return walk.reject(EINVAL, "arg#{} type doesn't have a name", argument);
  if (is_accepted_instead(walk, type)) return {};
  const std::string_view structure = structure_of(walk.type);
  if (structure.empty()) return walk.reject(EINVAL, "arg#{} should be void pointer", argument);
  if (!is_struct(type, structure)) return walk.reject(EINVAL, "arg#{} should be `struct {} *`", argument, structure);
  return {};
}

}  // namespace skep::verifier
