#include "cli/map_filter.h"

#include <fmt/format.h>

#include <charconv>
#include <compare>
#include <optional>
#include <vector>

#include "cli/json_value.h"
#include "cli/text_forms.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

// The part of `element` at "value.list[2]"; null: there is none.
const Json* part_at(const Json& element, std::string_view place) {
  const Json* at = &element;
  while (!place.empty()) {
    if (place[0] == '[') {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(place.data() + 1, place.data() + place.size(), index);
      if (error != std::errc() || end == place.data() + place.size() || *end != ']' || !at->is_array() ||
          index >= at->size())
        return nullptr;
      at = &(*at)[index];
      place.remove_prefix(static_cast<std::size_t>(end - place.data()) + 1);
      continue;
    }
    if (place[0] == '.') place.remove_prefix(1);
    const std::size_t end = std::min(place.find_first_of(".["), place.size());
    const auto member = at->is_object() ? at->find(std::string(place.substr(0, end))) : at->end();
    if (!at->is_object() || member == at->end()) return nullptr;
    at = &*member;
    place.remove_prefix(end);
  }
  return at;
}

// "10.0.0.1" where the element has a number or a list of bytes.
std::optional<Json> read_like(const Json& part, const std::string& word) {
  if (part.is_number_integer()) {
    for (const std::size_t bytes : {4U, 8U, 2U, 1U}) {
      std::uint64_t number = 0;
      if (read_text(word, Place::Integer, std::as_writable_bytes(std::span(&number, 1)).first(bytes)))
        return Json(number);
    }
  }
  if (part.is_array() && !part.empty()) {
    std::vector<std::byte> bytes(part.size());
    if (!read_text(word, Place::Any, bytes)) return std::nullopt;
    Json list = Json::array();
    for (const std::byte byte : bytes) list.push_back(std::to_integer<unsigned>(byte));
    return list;
  }
  return std::nullopt;
}

std::partial_ordering compare(const Json& part, const std::string& word) {
  Json wanted(parse_word(word));
  if (wanted.is_string())
    if (auto read = read_like(part, word)) wanted = *std::move(read);
  if (part == wanted) return std::partial_ordering::equivalent;
  if (part.is_number() && wanted.is_number())
    return part < wanted ? std::partial_ordering::less : std::partial_ordering::greater;
  if (part.is_string() && wanted.is_string()) return part.get<std::string>() <=> wanted.get<std::string>();
  return std::partial_ordering::unordered;
}

constexpr std::string_view kComparisons[] = {"!=", "<=", ">=", "=", "<", ">", "~"};

}  // namespace

Result<Condition> Condition::parse(const std::string& text) {
  const std::size_t at = text.find_first_of("!<>=~");
  for (const std::string_view comparison : kComparisons) {
    if (at == std::string::npos || !std::string_view(text).substr(at).starts_with(comparison)) continue;
    Condition condition;
    condition.place_ = text.substr(0, at);
    condition.comparison_ = comparison;
    condition.word_ = text.substr(at + comparison.size());
    if (condition.place_.starts_with("key") || condition.place_.starts_with("value")) return condition;
  }
  return fail(EINVAL, fmt::format("\"{}\": expected a place, a comparison and a word, such as value.count>100; places "
                                  "begin with key or value, comparisons are = != < <= > >= ~",
                                  text));
}

bool Condition::holds(const Json& element) const {
  const Json* part = part_at(element, place_);
  if (part == nullptr) return false;
  if (comparison_ == "~") return word_of(*part).find(word_) != std::string::npos;
  const std::partial_ordering order = compare(*part, word_);
  if (comparison_ == "=") return order == 0;
  if (comparison_ == "!=") return !(order == 0);
  if (comparison_ == "<") return order < 0;
  if (comparison_ == "<=") return order <= 0;
  return comparison_ == ">" ? order > 0 : order >= 0;
}

}  // namespace skep::cli
