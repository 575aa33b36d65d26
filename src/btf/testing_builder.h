// For tests: BTF written by hand. add_*() return the id of the new type.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "btf/format.h"

namespace skep::btf::testing {

class Builder {
 public:
  std::uint32_t string(std::string_view text) {
    if (text.empty()) return 0;
    const auto offset = static_cast<std::uint32_t>(strings_.size());
    strings_.insert(strings_.end(), text.begin(), text.end());
    strings_.push_back('\0');
    return offset;
  }

  std::uint32_t add(Kind kind, std::string_view name, std::uint32_t size_or_type, std::uint32_t vlen = 0,
                    bool flag = false, std::initializer_list<std::uint32_t> tail = {}) {
    words_.push_back(string(name));
    words_.push_back(std::uint32_t{flag} << 31 | static_cast<std::uint32_t>(kind) << 24 | vlen);
    words_.push_back(size_or_type);
    words_.insert(words_.end(), tail);
    return ++count_;
  }
  void word(std::uint32_t value) { words_.push_back(value); }  // more of the last type's tail

  std::uint32_t add_int(std::string_view name, std::uint32_t size, std::uint32_t encoding = kUnsigned,
                        std::uint32_t bits = 0, std::uint32_t offset = 0) {
    return add(Kind::Int, name, size, 0, false, {encoding << 24 | offset << 16 | (bits == 0 ? size * 8 : bits)});
  }
  std::uint32_t add_array(std::uint32_t type, std::uint32_t index, std::uint32_t n) {
    return add(Kind::Array, "", 0, 0, false, {type, index, n});
  }

  struct Field {
    std::string_view name;
    std::uint32_t type;
    std::uint32_t bit_offset;
    std::uint32_t bits = 0;
  };
  std::uint32_t add_struct(std::string_view name, std::uint32_t size, std::initializer_list<Field> fields,
                           Kind kind = Kind::Struct) {
    bool flag = false;
    for (const Field& field : fields) flag = flag || field.bits != 0;
    const std::uint32_t id = add(kind, name, size, static_cast<std::uint32_t>(fields.size()), flag);
    for (const Field& field : fields) {
      word(string(field.name));
      word(field.type);
      word(field.bits << 24 | field.bit_offset);
    }
    return id;
  }

  struct Value {
    std::string_view name;
    std::int64_t value;
  };
  std::uint32_t add_enum(std::string_view name, std::initializer_list<Value> values, bool is_signed = false,
                         Kind kind = Kind::Enum) {
    const std::uint32_t size = kind == Kind::Enum ? 4 : 8;
    const std::uint32_t id = add(kind, name, size, static_cast<std::uint32_t>(values.size()), is_signed);
    for (const Value& value : values) {
      word(string(value.name));
      word(static_cast<std::uint32_t>(value.value));
      if (kind == Kind::Enum64) word(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value.value) >> 32));
    }
    return id;
  }

  std::uint32_t count() const { return count_; }

  std::vector<std::byte> bytes() const {
    const auto type_bytes = static_cast<std::uint32_t>(words_.size() * 4);
    const RawHeader header{kMagic, 1,          0,          sizeof header,
                           0,      type_bytes, type_bytes, static_cast<std::uint32_t>(strings_.size())};
    std::vector<std::byte> out(sizeof header + type_bytes + strings_.size());
    std::memcpy(out.data(), &header, sizeof header);
    if (type_bytes != 0) std::memcpy(out.data() + sizeof header, words_.data(), type_bytes);
    std::memcpy(out.data() + sizeof header + type_bytes, strings_.data(), strings_.size());
    return out;
  }

 private:
  std::uint32_t count_ = 0;
  std::vector<std::uint32_t> words_;
  std::vector<char> strings_{'\0'};
};

// One type of every kind, in the forms compilers write.
inline Builder every_kind() {
  Builder b;
  const std::uint32_t i32 = b.add_int("int", 4, kSigned);
  const std::uint32_t u8 = b.add_int("unsigned char", 1);
  const std::uint32_t ptr = b.add(Kind::Ptr, "", 4);  // to the structure
  b.add_struct("node", 24, {{"next", ptr, 0}, {"value", i32, 64}, {"small", u8, 96, 3}, {"tags", 6, 128}});
  const std::uint32_t index = b.add_int("__ARRAY_SIZE_TYPE__", 4);
  b.add_array(u8, index, 6);
  b.add_struct("", 4, {{"a", i32, 0}, {"b", u8, 0}}, Kind::Union);
  const std::uint32_t color = b.add_enum("color", {{"RED", 0}, {"GREEN", -1}}, true);
  const std::uint32_t big = b.add_enum("big", {{"HUGE", 1LL << 40}}, false, Kind::Enum64);
  const std::uint32_t fwd = b.add(Kind::Fwd, "later", 0);
  b.add(Kind::Ptr, "", fwd);
  const std::uint32_t tag = b.add(Kind::TypeTag, "rcu", i32);
  const std::uint32_t cnst = b.add(Kind::Const, "", i32);
  const std::uint32_t vol = b.add(Kind::Volatile, "", cnst);
  const std::uint32_t tagged = b.add(Kind::Ptr, "", tag);
  b.add(Kind::Restrict, "", tagged);
  b.add(Kind::Ptr, "", vol);
  const std::uint32_t tdef = b.add(Kind::Typedef, "node_t", 4);
  const std::uint32_t proto = b.add(Kind::FuncProto, "", i32, 2, false, {b.string("ctx"), ptr, b.string("n"), tdef});
  const std::uint32_t func = b.add(Kind::Func, "main", proto, 1);
  const std::uint32_t var = b.add(Kind::Var, "counter", color, 0, false, {1});
  b.add(Kind::Datasec, ".data", 8, 1, false, {var, 4, 4});
  b.add(Kind::DeclTag, "tagged", func, 0, false, {1});
  b.add(Kind::DeclTag, "whole", 4, 0, false, {0xffffffff});
  b.add(Kind::Float, "double", 8);
  const std::uint32_t real = b.count();
  b.add_struct("wide", 40, {{"d", real, 0}, {"e", big, 64}, {"c", color, 128}, {"n", tdef, 128}});
  b.add(Kind::FuncProto, "", 0, 1, false, {0, 0});
  return b;
}

}  // namespace skep::btf::testing
