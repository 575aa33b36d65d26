#include "case_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/text_forms.h"

namespace skep::cases {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t from = text.find_first_not_of(" \t"), to = text.find_last_not_of(" \t");
  return from == std::string::npos ? "" : text.substr(from, to - from + 1);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> out;
  for (std::string word; stream >> word;) out.push_back(word);
  return out;
}

std::vector<std::byte> default_packet() {
  std::vector<std::byte> packet(64);
  for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<std::byte>(i);
  packet[12] = std::byte{8};
  packet[13] = std::byte{0};
  return packet;
}

class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  Result<std::vector<Case>> read() {
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      ++line_;
      if (line.starts_with("#")) continue;
      TRY_VOID(line.starts_with("-- ") ? directive(line.substr(3)) : text(line));
    }
    if (cases_.empty()) return wrong("no cases");
    return std::move(cases_);
  }

 private:
  std::unexpected<Error> wrong(const std::string& what) const {
    return fail(EINVAL, fmt::format("{}:{}: {}", path_, line_, what));
  }
  Case& now() { return cases_.back(); }

  // A line without "--": more hexadecimal bytes, or program text.
  Result<> text(const std::string& line) {
    if (bytes_) return hex(line, *bytes_);
    if (!cases_.empty()) now().programs[program_] += line + "\n";
    return {};
  }

  Result<> hex(const std::string& from, std::vector<std::byte>& to) const {
    for (const std::string& word : words(from)) {
      std::byte byte{};
      if (!cli::read_hex_bytes(word, {&byte, 1})) return wrong("expected two hexadecimal digits, found " + word);
      to.push_back(byte);
    }
    return {};
  }

  Result<std::uint64_t> number(const std::string& text) const {
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(text.c_str(), &end, 0);
    return text.empty() || *end != '\0' ? Result<std::uint64_t>(wrong("expected a number, found " + text)) : value;
  }

  Result<> fields(const std::string& from, std::map<std::string, std::uint64_t>& to) const {
    for (const std::string& word : words(from)) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) return wrong("expected field=number, found " + word);
      TRY(to[word.substr(0, equals)], number(word.substr(equals + 1)));
    }
    return {};
  }

  Result<> element(const std::string& from, std::vector<Element>& to) const {
    const std::size_t space = from.find(' '), equals = from.find('=');
    if (space == std::string::npos || equals == std::string::npos || equals < space)
      return wrong("expected MAP KEY = VALUE");
    Element element{.map = from.substr(0, space), .key = {}, .value = {}, .object = ""};
    TRY_VOID(hex(from.substr(space, equals - space), element.key));
    const std::string value = trimmed(from.substr(equals + 1));
    if (value.starts_with("prog ") || value.starts_with("map "))
      element.object = value;
    else
      TRY_VOID(hex(value, element.value));
    to.push_back(std::move(element));
    return {};
  }

  Result<> declare_map(const std::string& from) {
    std::vector<std::string> parts = words(from);
    MapDeclaration map;
    if (!parts.empty() && parts.back().starts_with("inner=")) {
      map.inner = parts.back().substr(6);
      parts.pop_back();
    }
    if (parts.size() < 5) return wrong("expected NAME TYPE KEY VALUE ENTRIES [FLAGS] [inner=NAME]");
    const auto type = spec::map_type(std::string_view(parts[1]));
    if (!type) return wrong("no map type " + parts[1]);
    map.name = parts[0];
    map.type = *type;
    std::uint32_t* const places[] = {&map.key_size, &map.value_size, &map.max_entries, &map.flags};
    for (std::size_t i = 2; i < parts.size() && i < 6; ++i) {
      TRY(const std::uint64_t value, number(parts[i]));
      *places[i - 2] = static_cast<std::uint32_t>(value);
    }
    now().maps.push_back(std::move(map));
    return {};
  }

  Result<> directive(const std::string& line) {
    const std::size_t end = std::min(line.find(' '), line.size());
    const std::string what = line.substr(0, end), rest = trimmed(line.substr(end));
    bytes_ = nullptr;
    if (what == "case") {
      cases_.push_back({.file = std::filesystem::path(path_).stem().string(),
                        .name = rest,
                        .line = line_,
                        .maps = {},
                        .put = {},
                        .expect = {},
                        .programs = {},
                        .packet = default_packet(),
                        .packet_out = {},
                        .context = {},
                        .context_out = {},
                        .stop = "",
                        .no_kernel = ""});
      program_.clear();
      return {};
    }
    if (cases_.empty()) return wrong("expected \"-- case\" first");
    return about(what, rest);
  }

  Result<> about(const std::string& what, const std::string& rest) {
    Case& c = now();
    if (what == "map") return declare_map(rest);
    if (what == "put") return element(rest, c.put);
    if (what == "expect") return element(rest, c.expect);
    if (what == "context") return fields(rest, c.context);
    if (what == "context-out") return fields(rest, c.context_out);
    if (what == "packet") return c.packet.clear(), bytes_ = &c.packet, hex(rest, c.packet);
    if (what == "packet-out") {
      c.check_packet = true;
      if (rest == "same") return c.packet_out = c.packet, Result<>{};
      return bytes_ = &c.packet_out, hex(rest, c.packet_out);
    }
    if (what == "return") {
      TRY(const std::uint64_t value, number(rest));
      c.check_return = true;
      c.returned = static_cast<std::uint32_t>(value);
      return {};
    }
    if (what == "prog") {
      const auto type = spec::prog_type(std::string_view(rest));
      if (!type) return wrong("no program type " + rest);
      return c.type = *type, Result<>{};
    }
    std::string* const texts[] = {what == "also" ? &program_ : nullptr, what == "stop" ? &c.stop : nullptr,
                                  what == "no-kernel" ? &c.no_kernel : nullptr};
    for (std::string* text : texts) {
      if (text) return *text = rest, Result<>{};
    }
    return wrong("\"-- " + what + "\" is not known");
  }

  std::string path_;
  std::size_t line_ = 0;
  std::vector<Case> cases_;
  std::string program_;
  std::vector<std::byte>* bytes_ = nullptr;
};

}  // namespace

Result<std::vector<Case>> read_cases(const std::string& path) { return Reader(path).read(); }

}  // namespace skep::cases
