// Which elements a dump shows: conditions such as "value.count>100" or "key.addr=10.0.0.1".
//
// A condition is a place in an element as JSON shows it ("key", "value.list[2]"), a comparison (= != < <= > >=, ~ for
// text that contains), and a word. Numbers are compared as numbers; an address or the like is read as the place's
// number or bytes; everything else as text. Tested by: tests/map_command.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

namespace skep::cli {

class Condition {
 public:
  // EINVAL: no comparison, an unknown place.
  static Result<Condition> parse(const std::string& text);
  // An element without such a place does not fulfil it.
  bool holds(const nlohmann::ordered_json& element) const;

 private:
  std::string place_, comparison_, word_;
};

}  // namespace skep::cli
