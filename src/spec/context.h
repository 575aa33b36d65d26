// The contexts that programs get in r1: which bytes they may read and write, and where those come from.
//
// A context is a fiction: the program sees struct xdp_md or struct __sk_buff, and each access is rewritten to the model
// behind it (packet/). This table is what the verifier checks an access against and what exec/ lowers it by: a field's
// ContextSource names the value, and exec/ knows where the model keeps it. Contexts that are plain memory (registers of
// a kprobe, a tracepoint's record) are rows too. Source: linux/bpf.h, Linux 6.12; the rules by experiment. Cost:
// find_field is a binary search of one context's rows. Tested by: spec/context_test.cc, which loads a program for every
// offset, size and direction into the running kernel.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "spec/helper_access.h"
#include "spec/types.h"

namespace skep::spec {

enum class ContextKind : std::uint8_t {
  None,
  Xdp,
  SkBuff,
  PtRegs,
  Record,
  PerfEvent,
  RawArgs,
  Syscall,
  CgroupSock,
  SockAddr,
  SockOps,
  SkMsg,
  SkReuseport,
  Sysctl,
  Sockopt,
  SkLookup,
  Device,
};

// What a load of a field gives the program.
enum class FieldKind : std::uint8_t {
  Scalar,
  PacketData,
  PacketMeta,
  PacketEnd,
  SockCommonOrNull,
  Socket,
  SocketOrNull,
  FlowKeys,
};

// Which sizes of access a field takes. Every access must be aligned to its size.
enum class Widths : std::uint8_t {
  Whole,        // the field at once
  Narrow,       // reads: 1, 2, 4 or 8 bytes inside it; writes: the field at once
  Head,         // as Narrow, but from the start of the field
  Low16,        // the field at once, or as Narrow in its first 2 bytes
  Halves,       // 2 or 4 bytes
  Words,        // 4 bytes: an array of 32-bit values
  NarrowWords,  // reads: 1, 2 or 4 bytes of such an array
  Quads,        // 8 bytes: an array of 64-bit values
  AnyRead,      // reads: 1, 2, 4 or 8 bytes; writes: 4 or 8
  Any,          // 1, 2, 4 or 8 bytes
};

// The value behind a field: one enumerator per row, Context_field.
enum class ContextSource : std::uint8_t {
#define CONTEXT_FIELD(Context, name, ...) Context##_##name,
#define CONTEXT_ONLY(...)
#include "spec/context_fields.def"
#undef CONTEXT_FIELD
#undef CONTEXT_ONLY
};

// A set of program types.
using ProgTypes = std::uint64_t;
template <class... Types>
constexpr ProgTypes prog_types(Types... types) noexcept {
  return (ProgTypes{0} | ... | (ProgTypes{1} << static_cast<unsigned>(types)));
}

struct ContextField {
  ContextKind context;
  std::string_view name;
  std::uint32_t offset;  // bytes, in the context as the program sees it
  std::uint32_t bytes;
  FieldKind kind;
  Widths widths;
  ProgTypes readers;
  ProgTypes writers;
  ContextSource source;
};

enum class Direction : std::uint8_t { Read, Write };

struct ContextAccess {
  ProgType type = ProgType::Unspec;
  AttachType attach = AttachType::CgroupInetIngress;
  std::int32_t offset = 0;  // bytes from the start of the context
  std::uint32_t size = 0;   // bytes: 1, 2, 4 or 8
  Direction direction = Direction::Read;
};

// The context of programs of this type; None when the type has none here.
ContextKind context_of(ProgType type) noexcept;
// The rows of a context, by offset; empty for None.
std::span<const ContextField> fields(ContextKind context) noexcept;
// The field that byte `offset` of the context belongs to; null for padding and what lies outside.
const ContextField* find_field(ContextKind context, std::int32_t offset) noexcept;

// The field an access reaches, or EACCES with the kernel's sentence ("invalid bpf_context access off=8 size=1").
Result<const ContextField*> check_access(const ContextAccess& access, LoaderRights rights = {});

}  // namespace skep::spec
