#include "cli/text_forms.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace skep::cli {
namespace {

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Pairs of digits with `separator` between them, exactly out.size().
bool read_pairs(std::string_view text, char separator, MutableBytes out) {
  if (out.empty() || text.size() != out.size() * 3 - 1) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
    if (!high || !low || (i + 1 < out.size() && text[3 * i + 2] != separator)) return false;
    out[i] = static_cast<std::byte>(*high << 4 | *low);
  }
  return true;
}

// "0x" and digits, of as many bytes as there is room, little-endian as this machine's integers are.
bool hex_integer(std::string_view text, MutableBytes out) {
  if (!text.starts_with("0x") || text.size() < 3) return false;
  text.remove_prefix(2);
  if (text.size() > out.size() * 2) text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  if (text.size() > out.size() * 2) return false;
  std::ranges::fill(out, std::byte{});
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto value = digit(text[text.size() - 1 - i]);
    if (!value) return false;
    out[i / 2] |= static_cast<std::byte>(*value << (i % 2 * 4));
  }
  if constexpr (std::endian::native == std::endian::big) std::ranges::reverse(out);
  return true;
}

bool big_endian_number(std::string_view text, MutableBytes out) {
  if (!text.starts_with("be:") || (out.size() != 2 && out.size() != 4 && out.size() != 8)) return false;
  text.remove_prefix(3);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return false;
  if (out.size() < 8 && value >> (out.size() * 8) != 0) return false;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(value >> (8 * (out.size() - 1 - i)));
  return true;
}

bool ip_address(std::string_view text, MutableBytes out) {
  const int family = out.size() == 4 ? AF_INET : out.size() == 16 ? AF_INET6 : 0;
  return family != 0 && ::inet_pton(family, std::string(text).c_str(), out.data()) == 1;
}

bool mac_address(std::string_view text, MutableBytes out) { return out.size() == 6 && read_pairs(text, ':', out); }

bool prefix(std::string_view text, MutableBytes out) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || out.size() < 8 || !ip_address(text.substr(0, slash), out.subspan(4)))
    return false;
  const std::string_view digits = text.substr(slash + 1);
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return false;
  if (bits > (out.size() - 4) * 8) return false;
  store(out.data(), bits);
  return true;
}

// The forms in the order they are tried.
struct Form {
  Place place;  // Any: everywhere
  bool (*read)(std::string_view text, MutableBytes out);
};
constexpr std::array<Form, 6> kForms = {{{Place::Any, read_hex_bytes},
                                         {Place::Integer, hex_integer},
                                         {Place::Integer, big_endian_number},
                                         {Place::Any, ip_address},
                                         {Place::Any, mac_address},
                                         {Place::Prefix, prefix}}};

}  // namespace

bool read_hex_bytes(std::string_view text, MutableBytes out) { return read_pairs(text, ' ', out); }

std::optional<std::uint64_t> read_hex_number(std::string_view text) {
  std::uint64_t value = 0;
  if (!hex_integer(text, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
  return value;
}

bool read_text(std::string_view text, Place place, MutableBytes out) {
  return std::ranges::any_of(kForms, [&](const Form& form) {
    return (form.place == Place::Any || form.place == place) && form.read(text, out);
  });
}

std::string_view forms_at(Place place, std::size_t size) {
  if (place == Place::Prefix) return "a prefix such as \"10.0.0.0/8\"";
  if (size == 4)
    return place == Place::Integer ? "a number, \"0x..\", \"be:..\" or an IPv4 address" : "an IPv4 address";
  if (size == 16) return "an IPv6 address";
  if (size == 6) return "a MAC address";
  return place == Place::Integer ? "a number, \"0x..\" or \"be:..\"" : "bytes such as \"0a 00 01\"";
}

}  // namespace skep::cli
