#include "cli/json_value.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/text_forms.h"

namespace skep::cli {
namespace {

using nlohmann::json;

// A value for a message, shortened.
std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

// A path inside a value, "key.addr" or "value[3]", as deep as its Steps.
class Path {
 public:
  explicit Path(std::string_view start) : text_(start) {}
  class Step {
   public:
    Step(Path& path, std::string_view text) : path_(path), length_(path.text_.size()) { path.text_ += text; }
    ~Step() { path_.text_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    Path& path_;
    std::size_t length_;
  };
  std::unexpected<Error> error(std::string_view what) const { return fail(EINVAL, fmt::format("{}: {}", text_, what)); }
  std::unexpected<Error> wrong(const json& found, std::string_view expected) const {
    return error(fmt::format("{} where {} is expected", shown(found), expected));
  }

 private:
  std::string text_;
};

// Whether a whole number lies in what `bits` bits hold.
bool fits(const json& value, unsigned bits, bool is_signed) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    const unsigned room = is_signed ? bits - 1 : bits;
    return room >= 64 || number >> room == 0;
  }
  const auto number = value.get<std::int64_t>();
  if (number >= 0) return bits > 63 || static_cast<std::uint64_t>(number) >> (is_signed ? bits - 1 : bits) == 0;
  return is_signed && (bits >= 64 || number >= -(std::int64_t{1} << (bits - 1)));
}

std::uint64_t bits_of(const json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>()
                                    : static_cast<std::uint64_t>(value.get<std::int64_t>());
}

void store_integer(std::uint64_t value, MutableBytes out) {
  std::ranges::fill(out, value >> 63 != 0 && out.size() > 8 ? std::byte{0xff} : std::byte{});
  std::memcpy(out.data(), &value, std::min<std::size_t>(out.size(), sizeof value));
}

// Bit `at` onwards of `out`, `bits` of them (BTF counts bits from the low end here).
void store_bits(std::uint64_t value, std::uint32_t at, std::uint32_t bits, MutableBytes out) {
  for (std::uint32_t i = 0; i < bits; ++i) {
    const std::uint32_t bit = at + i;
    const auto mask = static_cast<std::byte>(1U << bit % 8);
    out[bit / 8] = (value >> i & 1) != 0 ? out[bit / 8] | mask : out[bit / 8] & ~mask;
  }
}

class Encoder {
 public:
  Encoder(const btf::Btf& btf, std::string_view path) : btf_(btf), path_(path) {}

  Result<> value(std::uint32_t id, const json& from, MutableBytes out) {
    const btf::Type type = btf_.type(btf_.resolve(id));
    using enum btf::Kind;
    switch (type.kind()) {
      case Int: return integer(type, from, out);
      case Enum:
      case Enum64: return enumeration(type, from, out);
      case Float: return floating(from, out);
      case Struct: return structure(type, from, out);
      case Union: return one_of(type, from, out);
      case Array: return array(type, from, out);
      default: return path_.error(fmt::format("a {} cannot be given a value: leave it out", btf::name(type.kind())));
    }
  }

 private:
  static bool is_bool(const btf::Type& type) { return (btf::int_encoding(type.int_data()) & btf::kBool) != 0; }

  Result<> integer(const btf::Type& type, const json& from, MutableBytes out) {
    if (from.is_boolean() && is_bool(type)) return store_integer(from.get<bool>() ? 1 : 0, out), Result<>{};
    if (from.is_string()) return text(from, Place::Integer, out);
    if (!from.is_number_integer())
      return path_.wrong(from, is_bool(type) ? "true, false, 0 or 1" : forms_at(Place::Integer, out.size()));
    const unsigned bits = is_bool(type) ? 1 : static_cast<unsigned>(out.size() * 8);
    if (!fits(from, bits, type.is_signed()))
      return path_.wrong(from,
                         fmt::format("{} integer of {} bits", type.is_signed() ? "a signed" : "an unsigned", bits));
    store_integer(bits_of(from), out);
    return {};
  }

  Result<> text(const json& from, Place place, MutableBytes out) {
    if (read_text(from.get<std::string>(), place, out)) return {};
    return path_.error(
        fmt::format("{} is not {} and the place has {} bytes", shown(from), forms_at(place, out.size()), out.size()));
  }

  Result<> enumeration(const btf::Type& type, const json& from, MutableBytes out) {
    if (from.is_string()) {
      std::vector<std::string_view> names;
      for (std::uint32_t i = 0; i < type.vlen(); ++i) {
        const btf::Enumerator e = type.enumerator(i);
        if (e.name == from.get<std::string>()) return store_integer(e.value, out), Result<>{};
        names.push_back(e.name);
      }
      if (read_text(from.get<std::string>(), Place::Integer, out)) return {};
      return path_.wrong(from, fmt::format("one of {}", fmt::join(names, ", ")));
    }
    if (!from.is_number_integer()) return path_.wrong(from, "an enumerator's name or a number");
    if (!fits(from, static_cast<unsigned>(out.size() * 8), type.is_signed()))
      return path_.wrong(from, fmt::format("a number of {} bytes", out.size()));
    store_integer(bits_of(from), out);
    return {};
  }

  Result<> floating(const json& from, MutableBytes out) {
    if (!from.is_number()) return path_.wrong(from, "a number");
    if (out.size() == sizeof(float)) store(out.data(), from.get<float>());
    if (out.size() == sizeof(double)) store(out.data(), from.get<double>());
    if (out.size() != sizeof(float) && out.size() != sizeof(double))
      return path_.wrong(from, fmt::format("bytes (a float of {} bytes)", out.size()));
    return {};
  }

  // Whether a structure is an LPM key: a 4-byte integer and then exactly 4 or 16 bytes.
  bool is_prefix(const btf::Type& type) const {
    if (type.kind() != btf::Kind::Struct || type.vlen() < 2 || (type.size() != 8 && type.size() != 20)) return false;
    const btf::Member first = type.member(0), second = type.member(1);
    const btf::Type number = btf_.type(btf_.resolve(first.type));
    return number.kind() == btf::Kind::Int && number.size() == 4 && first.bit_offset == 0 && second.bit_offset == 32;
  }

  std::string names_of(const btf::Type& type) const {
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < type.vlen(); ++i) {
      const btf::Member m = type.member(i);
      if (!m.name.empty())
        names.emplace_back(m.name);
      else if (btf::is_composite(btf_.type(btf_.resolve(m.type)).kind()))
        names.push_back(names_of(btf_.type(btf_.resolve(m.type))));
    }
    return fmt::format("{}", fmt::join(names, ", "));
  }

  Result<> structure(const btf::Type& type, const json& from, MutableBytes out) {
    if (from.is_string()) return text(from, is_prefix(type) ? Place::Prefix : Place::Any, out);
    if (!from.is_object()) return path_.wrong(from, fmt::format("an object with {}", names_of(type)));
    for (const auto& [name, part] : from.items()) TRY_VOID(member(type, name, part, out));
    return {};
  }

  // Several members of a union, as a dump shows them, must say the same.
  Result<> one_of(const btf::Type& type, const json& from, MutableBytes out) {
    if (from.is_string()) return text(from, Place::Any, out);
    if (!from.is_object()) return path_.wrong(from, fmt::format("an object with one of {}", names_of(type)));
    for (const auto& [name, part] : from.items()) TRY_VOID(member(type, name, part, out));
    if (from.size() < 2) return {};
    std::vector<std::byte> again(out.begin(), out.end());
    for (const auto& [name, part] : from.items()) {
      TRY_VOID(member(type, name, part, again));
      if (!std::ranges::equal(again, out)) return path_.wrong(from, "one member, or several that agree,");
    }
    return {};
  }

  Result<> member(const btf::Type& type, const std::string& name, const json& from, MutableBytes out) {
    const std::optional<btf::Member> found = btf_.find_member(type.id(), name);
    if (!found) return path_.error(fmt::format("no member \"{}\"; there are: {}", name, names_of(type)));
    const Path::Step step(path_, "." + name);
    if (found->bits != 0) return bit_field(*found, from, out);
    const std::optional<std::uint32_t> size = btf_.size_of(found->type);
    const std::size_t at = found->bit_offset / 8;
    if (!size || at > out.size() || *size > out.size() - at) return path_.error("has no place of its own");
    return value(found->type, from, out.subspan(at, *size));
  }

  Result<> bit_field(const btf::Member& field, const json& from, MutableBytes out) {
    const bool is_signed = btf_.type(btf_.resolve(field.type)).is_signed();
    const json number = from.is_boolean() ? json(from.get<bool>() ? 1U : 0U) : from;
    if (!number.is_number_integer() || !fits(number, field.bits, is_signed)) {
      return path_.wrong(from, fmt::format("a number of {} bits", field.bits));
    }
    if (std::uint64_t{field.bit_offset} + field.bits > out.size() * 8) return path_.error("has no place of its own");
    store_bits(bits_of(number), field.bit_offset, field.bits, out);
    return {};
  }

  bool of_chars(std::uint32_t element) const {
    const btf::Type type = btf_.type(btf_.resolve(element));
    if (type.kind() != btf::Kind::Int || type.size() != 1) return false;
    return type.name() == "char" || (btf::int_encoding(type.int_data()) & btf::kChar) != 0;
  }

  Result<> array(const btf::Type& type, const json& from, MutableBytes out) {
    const btf::RawArray about = type.array();
    if (from.is_string() && !of_chars(about.type)) return text(from, Place::Any, out);
    if (from.is_string()) {
      const auto characters = from.get<std::string>();
      if (characters.size() > out.size()) return path_.wrong(from, fmt::format("text of at most {} bytes", out.size()));
      std::ranges::copy(std::as_bytes(std::span(characters)), out.begin());
      return {};
    }
    if (!from.is_array() || from.size() > about.nelems)
      return path_.wrong(from, fmt::format("an array of at most {} elements", about.nelems));
    const std::optional<std::uint32_t> size = btf_.size_of(about.type);
    for (std::size_t i = 0; size && i < from.size(); ++i) {
      const Path::Step step(path_, fmt::format("[{}]", i));
      TRY_VOID(value(about.type, from[i], out.subspan(i * *size, *size)));
    }
    return {};
  }

  const btf::Btf& btf_;
  Path path_;
};

// One byte of an array without a type: 7 or "0x07".
std::optional<std::byte> byte_of(const json& from) {
  if (from.is_number_integer() && fits(from, 8, false)) return static_cast<std::byte>(bits_of(from));
  if (!from.is_string()) return std::nullopt;
  const auto number = read_hex_number(from.get<std::string>());
  return number && *number < 256 ? std::optional(static_cast<std::byte>(*number)) : std::nullopt;
}

// Brackets inside brackets: types are nested 32 deep at most, and arrays of arrays stand for few of them.
constexpr unsigned kMostNested = 128;

bool nested_deeper(const json& value, unsigned levels) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::ranges::any_of(value, [&](const json& part) { return nested_deeper(part, levels - 1); });
}

}  // namespace

Result<json> parse_json(std::string_view text) {
  try {  // the one place that throws: the message has line and column
    json value = json::parse(text, nullptr, true, true);
    if (!nested_deeper(value, kMostNested)) return value;
  } catch (const json::exception& error) {
    const std::string_view what = error.what();
    return fail(EINVAL, fmt::format("not JSON: {}", what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
  return fail(EINVAL, fmt::format("brackets are nested deeper than {}", kMostNested));
}

json parse_word(std::string_view text) {
  json parsed = json::parse(text, nullptr, false, true);
  return parsed.is_discarded() || nested_deeper(parsed, kMostNested) ? json(std::string(text)) : parsed;
}

std::string word_of(const nlohmann::ordered_json& value) {
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    if (parse_word(text) == json(text)) return text;
  }
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<> encode(const btf::Btf& btf, std::uint32_t type, const json& value, std::string_view path, MutableBytes out) {
  return Encoder(btf, path).value(type, value, out);
}

Result<> encode_untyped(const json& value, std::string_view at, Place place, MutableBytes out) {
  const Path path(at);
  const bool number = out.size() == 1 || out.size() == 2 || out.size() == 4 || out.size() == 8;
  if (value.is_string() &&
      read_text(value.get<std::string>(), number && place == Place::Any ? Place::Integer : place, out))
    return {};
  if (value.is_number_integer() && number) {
    const auto bits = static_cast<unsigned>(out.size() * 8);
    if (!fits(value, bits, false) && !fits(value, bits, true))
      return path.wrong(value, fmt::format("a number of {} bytes", out.size()));
    store_integer(bits_of(value), out);
    return {};
  }
  if (!value.is_array() || value.size() != out.size()) {
    return path.wrong(value, fmt::format("{} bytes as \"0a 00 ..\" or as an array{}{} (there is no BTF type)",
                                         out.size(), number ? ", or a number" : "",
                                         place == Place::Prefix ? ", or a prefix such as \"10.0.0.0/8\"" : ""));
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto byte = byte_of(value[i]);
    if (!byte) return Path(fmt::format("{}[{}]", at, i)).wrong(value[i], "a byte, 0 to 255 or \"0x00\" to \"0xff\"");
    out[i] = *byte;
  }
  return {};
}

}  // namespace skep::cli
