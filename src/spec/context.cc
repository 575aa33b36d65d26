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
constexpr ProgTypes CgroupSock = prog_types(ProgType::CgroupSock);
constexpr ProgTypes SockAddr = prog_types(ProgType::CgroupSockAddr);
constexpr ProgTypes SockOps = prog_types(ProgType::SockOps);
constexpr ProgTypes SkMsg = prog_types(ProgType::SkMsg);
constexpr ProgTypes SkReuseport = prog_types(ProgType::SkReuseport);
constexpr ProgTypes Sysctl = prog_types(ProgType::CgroupSysctl);
constexpr ProgTypes Sockopt = prog_types(ProgType::CgroupSockopt);
constexpr ProgTypes SkLookup = prog_types(ProgType::SkLookup);
constexpr ProgTypes Device = prog_types(ProgType::CgroupDevice);
}  // namespace group

// In the order of contexts and offsets.
constexpr std::array kFields = [] {
  using namespace group;
  return std::array{
#define CONTEXT_FIELD(Context, name, offset, bytes, kind, widths, readers, writers)                            \
  ContextField{                                                                                                \
      ContextKind::Context,           #name, offset, bytes, FieldKind::kind, Widths::widths, readers, writers, \
      ContextSource::Context##_##name},
#define CONTEXT_ONLY(...)
#include "spec/context_fields.def"
#undef CONTEXT_FIELD
#undef CONTEXT_ONLY
  };
}();

// Fields that programs of some attach types only have.
enum class Concerns : std::uint8_t { Write, ReadOrWrite };
struct Only {
  ContextSource source;
  Concerns concerns;
  std::uint64_t attach_types;  // one bit each
};

template <class... Types>
constexpr std::uint64_t mask(Types... types) noexcept {
  return (... | (std::uint64_t{1} << static_cast<unsigned>(types)));
}

constexpr std::array kOnly{
#define CONTEXT_FIELD(...)
#define CONTEXT_ONLY(Context, name, concerns, ...)               \
  Only{ContextSource::Context##_##name, Concerns::concerns, [] { \
         using enum AttachType;                                  \
         return mask(__VA_ARGS__);                               \
       }()},
#include "spec/context_fields.def"
#undef CONTEXT_FIELD
#undef CONTEXT_ONLY
};

constexpr bool contains(ProgTypes set, ProgType type) noexcept { return (set & prog_types(type)) != 0; }

bool fits(const ContextField& field, const ContextAccess& access) noexcept {
  const std::uint32_t at = static_cast<std::uint32_t>(access.offset) - field.offset;
  if (at + access.size > field.bytes) return false;
  const bool whole = at == 0 && access.size == field.bytes;
  const bool read = access.direction == Direction::Read;
  switch (field.widths) {
    case Widths::Whole: return whole;
    case Widths::Narrow: return whole || read;
    case Widths::Head: return whole || (read && at == 0);
    case Widths::Low16: return whole || (read && at + access.size <= 2);
    case Widths::Halves: return access.size >= 2;
    case Widths::Words: return access.size == 4;
    case Widths::NarrowWords: return access.size <= 4;
    case Widths::Quads: return access.size == 8;
    case Widths::AnyRead: return read || access.size >= 4;
    case Widths::Any: return true;
  }
  return false;
}

// What depends on more than the program's type.
bool circumstances_allow(const ContextField& field, const ContextAccess& access, LoaderRights rights) noexcept {
  for (const Only& only : kOnly) {
    if (only.source != field.source || (only.attach_types & mask(access.attach)) != 0) continue;
    if (only.concerns == Concerns::ReadOrWrite || access.direction == Direction::Write) return false;
  }
  const bool packet = field.kind == FieldKind::PacketData || field.kind == FieldKind::PacketEnd;
  const bool sets_time = field.source == ContextSource::SkBuff_tstamp && access.direction == Direction::Write;
  if (access.type == ProgType::CgroupSkb && (packet || sets_time)) return rights.bpf;
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
