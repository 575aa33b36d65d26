#include "spec/context.h"

#include <algorithm>
#include <array>

namespace skep::spec {
namespace {

// The groups that context_fields.def speaks of.
namespace group {
constexpr ProgTypes Nobody = 0;
constexpr ProgTypes Xdp = prog_types(ProgType::Xdp);
constexpr ProgTypes Tc = prog_types(ProgType::SchedCls, ProgType::SchedAct);
constexpr ProgTypes CgroupSkb = prog_types(ProgType::CgroupSkb);
constexpr ProgTypes Lwt = prog_types(ProgType::LwtIn, ProgType::LwtOut, ProgType::LwtXmit, ProgType::LwtSeg6local);
constexpr ProgTypes SkSkb = prog_types(ProgType::SkSkb);
constexpr ProgTypes Skb = Tc | CgroupSkb | Lwt | SkSkb | prog_types(ProgType::SocketFilter);
constexpr ProgTypes Flow = prog_types(ProgType::FlowDissector);
constexpr ProgTypes Kprobe = prog_types(ProgType::Kprobe);
constexpr ProgTypes Tracepoint = prog_types(ProgType::Tracepoint);
constexpr ProgTypes PerfEvent = prog_types(ProgType::PerfEvent);
constexpr ProgTypes RawTracepoint = prog_types(ProgType::RawTracepoint, ProgType::RawTracepointWritable);
constexpr ProgTypes Syscall = prog_types(ProgType::Syscall);
}  // namespace group

// In the order of contexts and offsets.
constexpr std::array kFields = [] {
  using namespace group;
  return std::array{
#define CONTEXT_FIELD(Context, name, offset, bytes, kind, widths, readers, writers)                            \
  ContextField{                                                                                                \
      ContextKind::Context,           #name, offset, bytes, FieldKind::kind, Widths::widths, readers, writers, \
      ContextSource::Context##_##name},
#include "spec/context_fields.def"
#undef CONTEXT_FIELD
  };
}();

constexpr bool contains(ProgTypes set, ProgType type) noexcept { return (set & prog_types(type)) != 0; }

bool fits(const ContextField& field, const ContextAccess& access) noexcept {
  const std::uint32_t at = static_cast<std::uint32_t>(access.offset) - field.offset;
  if (at + access.size > field.bytes) return false;
  const bool whole = at == 0 && access.size == field.bytes;
  switch (field.widths) {
    case Widths::Whole: return whole;
    case Widths::Narrow: return whole || access.direction == Direction::Read;
    case Widths::Words: return access.size == 4;
    case Widths::Quads: return access.size == 8;
    case Widths::Any: return true;
  }
  return false;
}

// What depends on more than the program's type.
bool circumstances_allow(const ContextField& field, const ContextAccess& access, LoaderRights rights) noexcept {
  if (field.source == ContextSource::Xdp_egress_ifindex) return access.attach == AttachType::XdpDevmap;
  const bool packet = field.kind == FieldKind::PacketData || field.kind == FieldKind::PacketEnd;
  if (access.type == ProgType::CgroupSkb && (packet || field.source == ContextSource::SkBuff_tstamp)) return rights.bpf;
  return true;
}

bool allowed(const ContextField& field, const ContextAccess& access, LoaderRights rights) noexcept {
  const ProgTypes who = access.direction == Direction::Read ? field.readers : field.writers;
  return contains(who, access.type) && fits(field, access) && circumstances_allow(field, access, rights);
}

}  // namespace

ContextKind context_of(ProgType type) noexcept {
  const auto field = std::ranges::find_if(kFields, [&](const ContextField& f) { return contains(f.readers, type); });
  return field == kFields.end() ? ContextKind::None : field->context;
}

std::span<const ContextField> fields(ContextKind context) noexcept {
  return std::ranges::equal_range(kFields, context, {}, &ContextField::context);
}

const ContextField* find_field(ContextKind context, std::int32_t offset) noexcept {
  if (offset < 0) return nullptr;
  const std::span rows = fields(context);
  const auto at = static_cast<std::uint32_t>(offset);
  const auto behind = std::ranges::upper_bound(rows, at, {}, &ContextField::offset);
  if (behind == rows.begin()) return nullptr;
  const ContextField& field = *(behind - 1);
  return at < field.offset + field.bytes ? &field : nullptr;
}

Result<const ContextField*> check_access(const ContextAccess& access, LoaderRights rights) {
  const ContextField* field = find_field(context_of(access.type), access.offset);
  const bool aligned = access.size != 0 && access.offset % static_cast<std::int32_t>(access.size) == 0;
  if (field == nullptr || !aligned || !allowed(*field, access, rights)) {
    return fail(EACCES, "invalid bpf_context access off=" + std::to_string(access.offset) +
                            " size=" + std::to_string(access.size));
  }
  return field;
}

}  // namespace skep::spec
