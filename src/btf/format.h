// BTF as bytes: the header, the common part of a type and what follows it. Everything is host order and 4-byte aligned
// relative to the type section; a reader uses load<>, because the section itself may lie anywhere.
// Source: kernel documentation, bpf/btf; linux/btf.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::btf {

inline constexpr std::uint16_t kMagic = 0xeb9f;
inline constexpr std::size_t kMaxBytes = 16U << 20;  // of a BTF: more is E2BIG
inline constexpr std::uint32_t kMaxTypeId = 0x000fffff;
inline constexpr std::uint32_t kMaxNameOffset = 0x00ffffff;
inline constexpr std::size_t kMaxNameBytes = 512;  // of an identifier, without its NUL
inline constexpr std::uint32_t kInfoMask = 0x9f00ffff;

enum class Kind : std::uint8_t {
#define BTF_KIND(id, Name, ...) Name = id,
#include "btf/kinds.def"
#undef BTF_KIND
};
inline constexpr std::uint32_t kMaxKind = 19;

struct RawHeader {
  std::uint16_t magic;
  std::uint8_t version;
  std::uint8_t flags;
  std::uint32_t hdr_len;
  std::uint32_t type_off;  // of the sections, from the end of the header
  std::uint32_t type_len;
  std::uint32_t str_off;
  std::uint32_t str_len;
};
static_assert(sizeof(RawHeader) == 24);

struct RawType {
  std::uint32_t name_off;
  std::uint32_t info;          // kind_flag in bit 31, kind in bits 24 to 28, vlen in bits 0 to 15
  std::uint32_t size_or_type;  // bytes, or the type referred to
};
struct RawArray {
  std::uint32_t type;
  std::uint32_t index_type;
  std::uint32_t nelems;
};
struct RawMember {
  std::uint32_t name_off;
  std::uint32_t type;
  std::uint32_t offset;  // bits; with kind_flag the upper 8 bits are the size of the bit field
};
struct RawEnumerator {
  std::uint32_t name_off;
  std::int32_t value;
};
struct RawEnumerator64 {
  std::uint32_t name_off;
  std::uint32_t low;
  std::uint32_t high;
};
struct RawParam {
  std::uint32_t name_off;
  std::uint32_t type;
};
struct RawVariable {  // of a data section
  std::uint32_t type;
  std::uint32_t offset;
  std::uint32_t size;
};

// The word behind an INT.
constexpr std::uint32_t int_bits(std::uint32_t data) noexcept { return data & 0xff; }
constexpr std::uint32_t int_offset(std::uint32_t data) noexcept { return data >> 16 & 0xff; }
constexpr std::uint32_t int_encoding(std::uint32_t data) noexcept { return data >> 24 & 0x0f; }
inline constexpr std::uint32_t kIntMask = 0x0fffffff;
enum IntEncoding : std::uint32_t { kUnsigned = 0, kSigned = 1, kChar = 2, kBool = 4 };

enum class Linkage : std::uint32_t { Static = 0, Global = 1, Extern = 2 };

}  // namespace skep::btf
