// BTF: the types of a program and its maps, read from bytes and checked to the last bit.
//
// parse() is the only door, and it refuses what the kernel refuses: sections that overlap or leave gaps, ids and
// names out of range, members outside their structure, types that contain themselves, chains too deep. What went
// through can be walked without fear: every id is valid, every chain ends, every size is known. A Btf owns a copy of
// its bytes; types are views into it and must not outlive it. Immutable, so any number of threads may read it.
//
// Cost: parse() is linear in the bytes; resolving keeps at most 32 types on a stack. Lookups by name build an
// index on parse. Source: kernel documentation, bpf/btf; acceptance, errno and log compared with the running kernel.
// Tested by: btf/btf_test.cc, btf/kernel_test.cc, fuzz/btf_fuzz.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "btf/format.h"

namespace skep::btf {

class Btf;

// "STRUCT", "PTR" ..., as logs and bpftool say.
std::string_view name(Kind kind) noexcept;
// typedef, volatile, const, restrict and type tags: they mean the type they refer to.
constexpr bool is_modifier(Kind kind) noexcept {
  return kind == Kind::Typedef || kind == Kind::Volatile || kind == Kind::Const || kind == Kind::Restrict ||
         kind == Kind::TypeTag;
}
constexpr bool is_composite(Kind kind) noexcept { return kind == Kind::Struct || kind == Kind::Union; }

struct Member {
  std::string_view name;  // empty for an anonymous structure or union, and for padding
  std::uint32_t type = 0;
  std::uint32_t bit_offset = 0;  // from the start of the structure
  std::uint32_t bits = 0;        // width of a bit field; 0: an ordinary member
  friend bool operator==(const Member&, const Member&) = default;
};

struct Enumerator {
  std::string_view name;
  std::uint64_t value = 0;  // sign-extended when the enumeration is signed
};

struct Param {
  std::string_view name;
  std::uint32_t type = 0;  // 0: "..."
};

struct Variable {
  std::uint32_t type = 0;  // a VAR
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// One type. Which of the accessors mean something depends on the kind.
class Type {
 public:
  std::uint32_t id() const noexcept { return id_; }
  Kind kind() const noexcept { return static_cast<Kind>(raw_.info >> 24 & 0x1f); }
  std::uint32_t vlen() const noexcept { return raw_.info & 0xffff; }
  bool flag() const noexcept { return (raw_.info >> 31) != 0; }
  std::string_view name() const noexcept;
  // Int, Struct, Union, Enum, Enum64, Datasec, Float: bytes.
  std::uint32_t size() const noexcept { return raw_.size_or_type; }
  // Modifiers, Ptr, Func (its prototype), FuncProto (its result), Var, DeclTag: the type referred to.
  std::uint32_t type() const noexcept { return raw_.size_or_type; }
  std::uint32_t int_data() const noexcept { return word(0); }  // Int: see format.h
  Linkage linkage() const noexcept;                            // Func, Var
  std::int32_t component() const noexcept {
    return static_cast<std::int32_t>(word(0));
  }  // DeclTag; -1: the type itself
  bool is_signed() const noexcept;  // Int, Enum, Enum64
  RawArray array() const noexcept { return load<RawArray>(tail_); }
  Member member(std::uint32_t i) const noexcept;                                 // Struct, Union
  Enumerator enumerator(std::uint32_t i) const noexcept;                         // Enum, Enum64
  Param param(std::uint32_t i) const noexcept;                                   // FuncProto
  Variable variable(std::uint32_t i) const noexcept { return at<Variable>(i); }  // Datasec

  const RawType& raw() const noexcept { return raw_; }
  std::optional<std::string_view> string(std::uint32_t offset) const noexcept;  // of the BTF's strings
  template <class T>
  T at(std::uint32_t i) const noexcept {  // element i behind the common part, as it lies there
    return load<T>(tail_ + i * sizeof(T));
  }

 private:
  friend class Btf;
  friend class Checker;
  Type(const Btf& btf, std::uint32_t id, const RawType& raw, const std::byte* tail) noexcept
      : btf_(&btf), id_(id), raw_(raw), tail_(tail) {}
  std::uint32_t word(std::uint32_t i) const noexcept { return at<std::uint32_t>(i); }

  const Btf* btf_;
  std::uint32_t id_;
  RawType raw_;
  const std::byte* tail_;
};

// What has changed between kernels; as it stands, Linux 6.12.
struct Rules {
  bool attribute_tags = false;  // kind_flag on tags: attributes that are none of the kernel's own. Since Linux 6.14
};

class Btf {
 public:
  // Copies `bytes` and checks them. Errors carry the kernel's errno: EINVAL, E2BIG (too large, too many types,
  // chain of more than 32), EEXIST (a type contains itself), ENOTSUPP (524: version, flags, encoding), with the line
  // of the log that says why. `log`, if given, receives the text BPF_BTF_LOAD writes with log_level 1.
  static Result<Btf> parse(Bytes bytes, std::string* log = nullptr, Rules rules = {});

  Bytes bytes() const noexcept { return bytes_; }
  // Ids are 0 (void) to count().
  std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(offsets_.size()) - 1; }
  bool has(std::uint32_t id) const noexcept { return id < offsets_.size(); }
  Type type(std::uint32_t id) const noexcept;  // has(id)
  // The string at `offset` of the string section: "" for 0, nullopt when out of range.
  std::optional<std::string_view> string(std::uint32_t offset) const noexcept;

  // The first type of this name and kind.
  std::optional<std::uint32_t> find(std::string_view name, Kind kind) const;
  std::size_t count(std::string_view name, Kind kind) const;  // how many there are
  // `id` without its modifiers: a type that is none. 0 for void.
  std::uint32_t resolve(std::uint32_t id) const noexcept;
  // Bytes of a value of this type; nullopt for what has none (void, fwd, functions, tags) or overflows 32 bits.
  std::optional<std::uint32_t> size_of(std::uint32_t id) const noexcept;
  // The member called `name`, also inside anonymous structures and unions: its type, and its offset from the start of
  // `id`.
  std::optional<Member> find_member(std::uint32_t id, std::string_view name) const;

 private:
  friend class Checker;
  Btf() = default;

  std::vector<std::byte> bytes_;
  std::size_t strings_ = 0;  // offset of the string section in bytes_
  std::size_t string_bytes_ = 0;
  std::vector<std::uint32_t> offsets_;  // of type i in bytes_; [0] is void's and unused
  // As the checks found them: what a reference means in the end, and the size of an array.
  std::vector<std::uint32_t> resolved_;
  std::vector<std::uint32_t> sizes_;
  std::unordered_multimap<std::string_view, std::uint32_t> by_name_;  // views into bytes_
};

}  // namespace skep::btf
