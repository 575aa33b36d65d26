#include "verifier/explain/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace skep::verifier {
namespace {

// The name in braces at the front of `rest`, which is moved behind it.
std::string_view take_name(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('}'), rest.size());
  const std::string_view name = rest.substr(1, end - 1);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return name;
}

bool match_into(std::string_view pattern, std::string_view text, Facts& found) {
  while (!pattern.empty()) {
    const std::size_t literal = std::min(pattern.find('{'), pattern.size());
    if (text.substr(0, literal) != pattern.substr(0, literal)) return false;
    text.remove_prefix(literal);
    pattern.remove_prefix(literal);
    if (pattern.empty()) break;
    const std::string_view name = take_name(pattern);
    const std::string_view behind = pattern.substr(0, pattern.find('{'));
    const std::size_t end = behind.empty() ? text.size() : text.find(behind);
    if (end == std::string_view::npos) return false;
    if (!name.empty()) found.set(name, std::string(text.substr(0, end)));
    text.remove_prefix(end);
  }
  return text.empty();
}

// Appends `form` without optional parts; false when a fact was unknown.
bool append_filled(std::string& out, std::string_view form, const Facts& facts) {
  bool complete = true;
  while (!form.empty()) {
    const std::size_t literal = std::min(form.find('{'), form.size());
    out += form.substr(0, literal);
    form.remove_prefix(literal);
    if (form.empty()) break;
    std::string_view name = take_name(form);
    const bool as_bytes = name.ends_with('#');
    if (as_bytes) name.remove_suffix(1);
    const std::string* fact = facts.find(name);
    complete &= fact != nullptr;
    const auto number = as_bytes ? facts.number(name) : std::nullopt;
    out += number ? bytes(*number) : fact != nullptr ? *fact : "?";
  }
  return complete;
}

}  // namespace

void Facts::set(std::string_view name, std::string value) {
  const auto found = std::ranges::find(list_, name, &std::pair<std::string, std::string>::first);
  if (found != list_.end())
    found->second = std::move(value);
  else
    list_.emplace_back(name, std::move(value));
}

const std::string* Facts::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find(list_, name, &std::pair<std::string, std::string>::first);
  return found == list_.end() ? nullptr : &found->second;
}

std::optional<std::int64_t> Facts::number(std::string_view name) const noexcept {
  const std::string* text = find(name);
  std::int64_t value = 0;
  if (text == nullptr) return std::nullopt;
  const char* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, value);
  return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

bool match(std::string_view pattern, std::string_view text, Facts& facts) {
  Facts found = facts;
  if (!match_into(pattern, text, found)) return false;
  facts = std::move(found);
  return true;
}

std::string fill(std::string_view form, const Facts& facts) {
  std::string out;
  while (!form.empty()) {
    const std::size_t open = std::min(form.find("<<"), form.size());
    append_filled(out, form.substr(0, open), facts);
    form.remove_prefix(open);
    if (form.empty()) break;
    const std::size_t close = std::min(form.find(">>"), form.size());
    std::string part;
    if (append_filled(part, form.substr(2, close - 2), facts)) out += part;
    form.remove_prefix(std::min(close + 2, form.size()));
  }
  return out;
}

std::string bytes(std::int64_t count) { return fmt::format("{} byte{}", count, count == 1 ? "" : "s"); }

}  // namespace skep::verifier
