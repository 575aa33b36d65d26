#include "btf/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "btf/value.h"

namespace skep::btf {
namespace {

constexpr unsigned kMaxDepth = 64;

class Printer {
 public:
  Printer(const Btf& btf, Bytes value, const PrintOptions& options) : btf_(btf), value_(value), options_(options) {}

  Result<> value(std::uint32_t id, std::uint64_t bit_offset, std::uint32_t bits);
  std::string take() { return std::move(text_); }

 private:
  bool json() const { return options_.notation == Notation::Json; }
  Result<> integer(const Type& type, std::uint64_t bit_offset, std::uint32_t bits);
  Result<> enumeration(const Type& type, std::uint64_t bit_offset, std::uint32_t bits);
  Result<> real(const Type& type, std::uint64_t bit_offset);
  Result<> pointer(std::uint64_t bit_offset);
  Result<> array(const Type& type, std::uint64_t bit_offset);
  Result<> composite(const Type& type, std::uint64_t bit_offset);
  Result<> members(const Type& type, std::uint64_t bit_offset, bool& first);
  Result<> section(const Type& type);

  bool text_of_chars(const Type& element, std::uint64_t bit_offset, std::uint32_t n);
  std::optional<Wide> bits_at(std::uint64_t bit_offset, std::uint32_t bits);
  Result<> enter();
  void open(char bracket);
  void separate(bool& first);
  void close(char bracket, bool empty);
  void key(std::string_view name);
  void new_line();
  void quoted(std::string_view text);

  const Btf& btf_;
  Bytes value_;
  PrintOptions options_;
  std::string text_;
  std::size_t steps_ = 0;
  unsigned depth_ = 0;      // of brackets
  unsigned anonymous_ = 0;  // structures without brackets of their own
};

Result<> Printer::enter() {
  if (text_.size() > options_.max_bytes)
    return fail(E2BIG, fmt::format("the value's text is longer than {} bytes", options_.max_bytes));
  const std::size_t most = 1024 + 2 * options_.max_bytes;  // an empty union leaves no text
  if (++steps_ > most) return fail(E2BIG, fmt::format("the value has more than {} parts", most));
  if (depth_ + anonymous_ > kMaxDepth) return fail(E2BIG, fmt::format("the type is nested deeper than {}", kMaxDepth));
  return {};
}

void Printer::new_line() {
  if (options_.layout == Layout::Line) return;
  text_ += '\n';
  text_.append(options_.indent + 2 * std::size_t{depth_}, ' ');
}

void Printer::open(char bracket) {
  text_ += bracket;
  ++depth_;
}

void Printer::separate(bool& first) {
  if (!first) text_ += options_.layout == Layout::Line ? ", " : ",";
  if (first && options_.layout == Layout::Line && !json()) text_ += ' ';
  first = false;
  new_line();
}

void Printer::close(char bracket, bool empty) {
  --depth_;
  if (!empty) {
    new_line();
    if (options_.layout == Layout::Line && !json()) text_ += ' ';
  }
  text_ += bracket;
}

void Printer::key(std::string_view name) {
  if (json()) {
    quoted(name);
    text_ += ": ";
  } else {
    text_ += '.';
    text_ += name;
    text_ += " = ";
  }
}

void Printer::quoted(std::string_view text) {
  text_ += '"';
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') text_ += '\\';
    if (u < 0x20 || u >= 0x7f)
      text_ += fmt::format("\\u{:04x}", u);
    else
      text_ += c;
  }
  text_ += '"';
}

// nullopt where a part lies outside its whole, which some accepted types allow.
std::optional<Wide> Printer::bits_at(std::uint64_t bit_offset, std::uint32_t bits) {
  auto found = read_bits(value_, bit_offset, bits);
  if (!found) text_ += json() ? "null" : "/* outside */ 0";
  return found;
}

Result<> Printer::value(std::uint32_t id, std::uint64_t bit_offset, std::uint32_t bits) {
  TRY_VOID(enter());
  const Type type = btf_.type(btf_.resolve(id));
  switch (type.kind()) {
    case Kind::Int: return integer(type, bit_offset, bits);
    case Kind::Enum:
    case Kind::Enum64: return enumeration(type, bit_offset, bits);
    case Kind::Float: return real(type, bit_offset);
    case Kind::Ptr: return pointer(bit_offset);
    case Kind::Array: return array(type, bit_offset);
    case Kind::Struct:
    case Kind::Union: return composite(type, bit_offset);
    case Kind::Var: return value(type.type(), bit_offset, 0);
    case Kind::Datasec: return section(type);
    default: return fail(EINVAL, fmt::format("a {} has no value", name(type.kind())));
  }
}

Result<> Printer::integer(const Type& type, std::uint64_t bit_offset, std::uint32_t bits) {
  const std::uint32_t data = type.int_data();
  if (bits == 0) {
    bit_offset += int_offset(data);
    bits = int_bits(data);
    if (bits == 0) {
      text_ += '0';
      return {};
    }
  }
  const auto found = bits_at(bit_offset, bits);
  if (!found) return {};
  const auto low = static_cast<std::uint64_t>(*found);
  if (bits > 64) {
    const auto high = static_cast<std::uint64_t>(*found >> 64);
    const std::string hex = high == 0 ? fmt::format("0x{:x}", low) : fmt::format("0x{:x}{:016x}", high, low);
    text_ += json() ? fmt::format("\"{}\"", hex) : hex;
  } else if (int_encoding(data) == kBool && low <= 1) {
    text_ += low == 1 ? "true" : "false";
  } else if (int_encoding(data) == kSigned) {
    text_ += fmt::format("{}", sign_extend(low, bits));
  } else {
    text_ += fmt::format("{}", low);
  }
  return {};
}

Result<> Printer::enumeration(const Type& type, std::uint64_t bit_offset, std::uint32_t bits) {
  if (bits == 0) bits = type.size() * 8;
  const auto found = bits_at(bit_offset, bits);
  if (!found) return {};
  auto number = static_cast<std::uint64_t>(*found);
  if (type.is_signed()) number = static_cast<std::uint64_t>(sign_extend(number, bits));
  steps_ += type.vlen();
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Enumerator enumerator = type.enumerator(i);
    if (enumerator.value != number) continue;
    if (json())
      quoted(enumerator.name);
    else
      text_ += enumerator.name;
    return {};
  }
  text_ += type.is_signed() ? fmt::format("{}", static_cast<std::int64_t>(number)) : fmt::format("{}", number);
  return {};
}

Result<> Printer::real(const Type& type, std::uint64_t bit_offset) {
  const auto found = bits_at(bit_offset, type.size() * 8);
  if (!found) return {};
  const bool known = type.size() == 4 || type.size() == 8;
  const double number = type.size() == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(*found))}
                                         : std::bit_cast<double>(static_cast<std::uint64_t>(*found));
  if (known && std::isfinite(number)) {
    text_ += type.size() == 4 ? fmt::format("{}", static_cast<float>(number)) : fmt::format("{}", number);
  } else if (known) {
    const std::string_view word = std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
    text_ += json() ? fmt::format("\"{}\"", word) : std::string(word);
  } else {  // half and extended precision: the bytes as they lie
    text_ += '"';
    for (std::uint32_t i = 0; i < type.size(); ++i)
      text_ += fmt::format("{}{:02x}", i == 0 ? "" : " ", std::to_integer<unsigned>(value_[bit_offset / 8 + i]));
    text_ += '"';
  }
  return {};
}

Result<> Printer::pointer(std::uint64_t bit_offset) {
  const auto found = bits_at(bit_offset, 64);
  if (!found) return {};
  const auto address = static_cast<std::uint64_t>(*found);
  text_ += json() ? fmt::format("\"0x{:x}\"", address) : fmt::format("0x{:x}", address);
  return {};
}

// An array of char that holds printable text, and zeros behind it, is text.
bool Printer::text_of_chars(const Type& element, std::uint64_t bit_offset, std::uint32_t n) {
  const bool is_char = element.kind() == Kind::Int && element.size() == 1 &&
                       (element.name() == "char" || int_encoding(element.int_data()) == kChar);
  if (!is_char || bit_offset % 8 != 0 || n == 0 || bit_offset / 8 + n > value_.size()) return false;
  const Bytes bytes = value_.subspan(bit_offset / 8, n);
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view text = all.substr(0, all.find('\0'));
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  const std::string_view rest = all.substr(text.size());
  if (!std::ranges::all_of(text, printable) || rest.find_first_not_of('\0') != std::string_view::npos) return false;
  quoted(text);
  return true;
}

Result<> Printer::array(const Type& type, std::uint64_t bit_offset) {
  const RawArray array = type.array();
  const Type element = btf_.type(btf_.resolve(array.type));
  if (text_of_chars(element, bit_offset, array.nelems)) return {};
  const std::uint64_t bits = std::uint64_t{btf_.size_of(array.type).value_or(0)} * 8;
  open(json() ? '[' : '{');
  bool first = true;
  for (std::uint32_t i = 0; i < array.nelems; ++i) {
    separate(first);
    TRY_VOID(value(array.type, bit_offset + i * bits, 0));
  }
  close(json() ? ']' : '}', first);
  return {};
}

Result<> Printer::composite(const Type& type, std::uint64_t bit_offset) {
  open('{');
  bool first = true;
  TRY_VOID(members(type, bit_offset, first));
  close('}', first);
  return {};
}

Result<> Printer::members(const Type& type, std::uint64_t bit_offset, bool& first) {
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    TRY_VOID(enter());
    const Member member = type.member(i);
    const Type inner = btf_.type(btf_.resolve(member.type));
    if (member.name.empty()) {
      if (!is_composite(inner.kind())) continue;  // padding
      ++anonymous_;
      TRY_VOID(members(inner, bit_offset + member.bit_offset, first));
      --anonymous_;
      continue;
    }
    separate(first);
    key(member.name);
    TRY_VOID(value(member.type, bit_offset + member.bit_offset, member.bits));
  }
  return {};
}

Result<> Printer::section(const Type& type) {
  open('{');
  bool first = true;
  for (std::uint32_t i = 0; i < type.vlen(); ++i) {
    const Variable variable = type.variable(i);
    separate(first);
    key(btf_.type(variable.type).name());
    TRY_VOID(value(variable.type, std::uint64_t{variable.offset} * 8, 0));
  }
  close('}', first);
  return {};
}

}  // namespace

Result<std::string> print(const Btf& btf, std::uint32_t type, Bytes value, const PrintOptions& options) {
  const auto size = btf.size_of(type);
  if (!size) return fail(EINVAL, fmt::format("type {} has no value", type));
  if (value.size() < *size)
    return fail(EINVAL, fmt::format("a value of {} bytes, its type has {}", value.size(), *size));
  Printer printer(btf, value.first(*size), options);
  TRY_VOID(printer.value(type, 0, 0));
  return printer.take();
}

}  // namespace skep::btf
