// Which maps a program may use: by its type, and whether it may sleep.
#include <algorithm>

#include "spec/uapi.h"
#include "verifier/prepare/prepare.h"

namespace skep::verifier {
namespace {

using btf::Special;
using spec::MapType;
using spec::ProgType;

bool traces_events(ProgType type) {
  switch (type) {
    case ProgType::Kprobe:
    case ProgType::Tracepoint:
    case ProgType::PerfEvent:
    case ProgType::RawTracepoint:
    case ProgType::RawTracepointWritable: return true;
    default: return false;
  }
}

bool has_field(const spec::MapView& map, Special kind) {
  return std::ranges::find(map.fields, kind, &btf::SpecialField::kind) != map.fields.end();
}

struct FieldRule {
  Special field;
  std::string_view name;
};
constexpr FieldRule kFieldRules[] = {
#define FIELD_RULE(Kind, text) {Special::Kind, text},
#include "verifier/prepare/map_rules.def"
};

bool is_for_sleepers(MapType type) {
  switch (type) {
#define SLEEPABLE_MAP(Type) case MapType::Type:
#include "verifier/prepare/map_rules.def"
    return true;
    default: return false;
  }
}

}  // namespace

Checked check_map(Walk& walk, const spec::MapView& map) {
  const ProgType type = walk.type;
  for (const FieldRule& rule : kFieldRules) {
    if (!has_field(map, rule.field)) continue;
    if (rule.field == Special::SpinLock && type == ProgType::SocketFilter)
      return walk.reject(EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
    if (traces_events(type)) return walk.reject(EINVAL, "tracing progs cannot use {} yet", rule.name);
  }
  if (map.spec.ifindex != 0) return walk.reject(EINVAL, "offload device mismatch between prog and map");
  if (map.spec.type == MapType::StructOps) return walk.reject(EINVAL, "bpf_struct_ops map cannot be used in prog");
  if ((walk.input.flags & spec::kSleepable) && !is_for_sleepers(map.spec.type))
    return walk.reject(EINVAL, "Sleepable programs can only use array, hash, ringbuf and local storage maps");
  return {};
}

}  // namespace skep::verifier
