// Words about a rejection by name, and sentences with places for them.
//
// match() reads facts out of a message: the pattern "off={off} size={size}" is the text with each {name} standing for
// whatever is there, as little as possible, and {} for what nobody needs. fill() is the way back: {name} becomes the
// fact, {name#} a number of bytes ("1 byte", "4 bytes"); what stands between << and >> is left out when one of its
// facts is unknown. Linear; names are few. Tested by: verifier/explain/facts_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skep::verifier {

class Facts {
 public:
  void set(std::string_view name, std::string value);  // replaces
  void set(std::string_view name, std::int64_t number) { set(name, std::to_string(number)); }
  const std::string* find(std::string_view name) const noexcept;
  std::optional<std::int64_t> number(std::string_view name) const noexcept;

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

// All of `text`: true and the facts added, or false and none added.
bool match(std::string_view pattern, std::string_view text, Facts& facts);
// An unknown fact outside of << >> is "?".
std::string fill(std::string_view form, const Facts& facts);
std::string bytes(std::int64_t count);  // "1 byte"

}  // namespace skep::verifier
