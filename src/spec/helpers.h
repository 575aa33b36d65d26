// The helpers of Linux 6.12 as data: what each asks of its arguments and what it gives back.
//
// Everything here is constexpr, so that a helper's body is bound to its row at compile time (src/helpers computes the
// C++ signature from the row) and the verifier reads the same row. A row is the signature nearly all programs see;
// signature() in helper_access.h gives the row for one program type, which differs for a few socket helpers.
// Source: bpf-helpers(7), linux/bpf.h; what a kernel accepts of each was tried on one.
// Tested by: spec/helpers_test.cc.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace skep::spec {

enum class HelperId : std::uint32_t {
  unspec = 0,
#define HELPER(id, name, ...) name = id,
#include "spec/helpers.def"
#undef HELPER
};

// What kind of thing an argument is, apart from how it may be used.
enum class ArgBase : std::uint8_t {
  None,       // the helper has fewer arguments
  Scalar,     // any initialised register; a pointer too, if the caller may leak pointers
  Unchecked,  // not looked at
  Map,        // a map, from ld_imm64
  MapKey,     // memory of the map's key size
  MapValue,   // memory of the map's value size
  Mem,        // memory, its size in the next argument
  Size,       // that size
  AllocSize,  // constant size of the memory returned
  FixedMem,   // memory of the kind's fixed size
  ConstStr,
  Ctx,
  SpinLock,
  Timer,
  Func,   // a subprogram to be called back
  Stack,  // what the callback gets as its last argument
  KptrSlot,
  RingbufMem,
  Dynptr,
  SockCommon,
  Socket,
  AnySock,
  PercpuBtf,
  Btf,  // a kernel object of the kind's BTF type
};

// How an argument is used, as bits.
enum class ArgUse : std::uint16_t {
  None = 0,
  Reads = 1 << 0,     // its bytes must be initialised
  Writes = 1 << 1,    // its bytes must be writable
  Uninit = 1 << 2,    // its bytes need not be initialised
  Null = 1 << 3,      // may be NULL
  Zero = 1 << 4,      // the size may be 0
  Aligned = 1 << 5,   // to its size
  Releases = 1 << 6,  // takes over the reference it carries
  Local = 1 << 7,     // dynptr to local memory
  Ringbuf = 1 << 8,   // dynptr to a ring buffer record
};
constexpr ArgUse operator|(ArgUse a, ArgUse b) noexcept {
  return static_cast<ArgUse>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool has(ArgUse set, ArgUse bit) noexcept {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(bit)) != 0;
}

enum class ArgKind : std::uint8_t {
  None,
#define ARG(Name, ...) Name,
#include "spec/arg_kinds.def"
#undef ARG
};

struct ArgInfo {
  std::string_view name;
  ArgBase base = ArgBase::None;
  ArgUse use = ArgUse::None;
  std::uint32_t bytes = 0;    // FixedMem
  std::string_view btf_type;  // name of the kernel structure, or empty
};

enum class ResultBase : std::uint8_t {
  Integer,
  Void,
  MapValue,
  Socket,
  TcpSock,
  SockCommon,
  RingbufMem,
  DynptrMem,
  MemOrBtf,
  Btf,
};

enum class ResultKind : std::uint8_t {
#define RESULT(Name, ...) Name,
#include "spec/result_kinds.def"
#undef RESULT
};

struct ResultInfo {
  enum class Property : std::uint8_t { None, Null, Trusted, Cpu, Length };
  std::string_view name;
  ResultBase base = ResultBase::Integer;
  Property property = Property::None;
  std::string_view btf_type;
  constexpr bool may_be_null() const noexcept { return property == Property::Null; }
};

// Properties of the call as a whole, as bits.
enum class HelperTrait : std::uint16_t {
  None = 0,
  Gpl = 1 << 0,          // only for programs under a GPL-compatible license
  Packet = 1 << 1,       // its memory arguments may point into the packet
  MovesPacket = 1 << 2,  // afterwards packet pointers are worthless
  Sleeps = 1 << 3,       // only where the program may sleep
  Acquires = 1 << 4,     // the result carries a reference that must be released
  Casts = 1 << 5,        // the result is its argument, seen as another type
  Calls = 1 << 6,        // calls its Func argument before it returns
  CallsLater = 1 << 7,   // its Func argument is called some time later
  Fastcall = 1 << 8,     // clobbers no register but r0
  RecordsMap = 1 << 9,   // engines want to know whether it is always the same map
  WritesMap = 1 << 10,   // changes its map's elements, from the program side
};
constexpr HelperTrait operator|(HelperTrait a, HelperTrait b) noexcept {
  return static_cast<HelperTrait>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

inline constexpr std::size_t kMaxHelperArgs = 5;

struct Helper {
  HelperId id = HelperId::unspec;
  std::string_view name;  // without "bpf_"
  ResultKind result = ResultKind::Integer;
  HelperTrait traits = HelperTrait::None;
  std::array<ArgKind, kMaxHelperArgs> args{};  // None behind the last

  constexpr bool is(HelperTrait trait) const noexcept {
    return (static_cast<unsigned>(traits) & static_cast<unsigned>(trait)) != 0;
  }
  constexpr std::size_t arg_count() const noexcept {
    std::size_t n = 0;
    while (n < args.size() && args[n] != ArgKind::None) ++n;
    return n;
  }
};

namespace detail {

template <class... Kinds>
constexpr std::array<ArgKind, kMaxHelperArgs> args_of(Kinds... kinds) noexcept {
  return {kinds...};
}

inline constexpr std::array kArgKinds{
    ArgInfo{"None", ArgBase::None, ArgUse::None, 0, ""},
#define ARG(Name, base_, use_, bytes_, btf_) \
  ArgInfo{#Name, ArgBase::base_,             \
          [] {                               \
            using enum ArgUse;               \
            return use_;                     \
          }(),                               \
          bytes_, btf_},
#include "spec/arg_kinds.def"
#undef ARG
};

inline constexpr std::array kResultKinds{
#define RESULT(Name, base_, property_, btf_) \
  ResultInfo{#Name, ResultBase::base_, ResultInfo::Property::property_, btf_},
#include "spec/result_kinds.def"
#undef RESULT
};

// Row i is helper i; row 0 is unspec.
inline constexpr std::array kHelpers{
    Helper{HelperId::unspec, "unspec", ResultKind::Integer, HelperTrait::None, {}},
#define HELPER(id_, name_, result_, traits_, ...)      \
  Helper{HelperId::name_, #name_, ResultKind::result_, \
         [] {                                          \
           using enum HelperTrait;                     \
           return traits_;                             \
         }(),                                          \
         [] {                                          \
           using enum ArgKind;                         \
           return args_of(__VA_ARGS__);                \
         }()},
#include "spec/helpers.def"
#undef HELPER
};

}  // namespace detail

inline constexpr std::size_t kHelperCount = detail::kHelpers.size() - 1;  // ids are 1 to kHelperCount

constexpr const ArgInfo& info(ArgKind kind) noexcept { return detail::kArgKinds[static_cast<std::size_t>(kind)]; }
constexpr const ResultInfo& info(ResultKind kind) noexcept {
  return detail::kResultKinds[static_cast<std::size_t>(kind)];
}

// The row of a helper; `id` must be one of the enumerators.
constexpr const Helper& helper(HelperId id) noexcept { return detail::kHelpers[static_cast<std::size_t>(id)]; }
// The row of the helper with this number (the imm of a call); null when Linux 6.12 has none.
constexpr const Helper* find_helper(std::uint32_t number) noexcept {
  return number == 0 || number > kHelperCount ? nullptr : &detail::kHelpers[number];
}
// The row of the helper with this name, with or without "bpf_" before it; null when there is none.
constexpr const Helper* find_helper(std::string_view name) noexcept {
  if (name.starts_with("bpf_")) name.remove_prefix(4);
  for (std::size_t i = 1; i <= kHelperCount; ++i)
    if (detail::kHelpers[i].name == name) return &detail::kHelpers[i];
  return nullptr;
}

// All rows in the order of their ids.
inline constexpr auto kHelperRows = [] {
  std::array<const Helper*, kHelperCount> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = &detail::kHelpers[i + 1];
  return rows;
}();

}  // namespace skep::spec
