// The C source behind an instruction, and the expressions in a line of it.
//
// clang's line_info gives a line's text and the column of what an instruction computes: of a member's name in
// `eth->h_proto`, of the operator in `*count += 1`. expression_at() finds the whole expression around it by its
// characters; it knows no C beyond names, ->, ., [] and *, and answers nothing where that does not suffice.
// Tested by: verifier/explain/source_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "verifier/step/walk.h"

namespace skep::verifier {

struct Place {
  std::string file;  // without folders
  std::uint32_t line = 0;
  std::uint32_t column = 0;  // of `text`, from 0
  std::string text;          // without indentation
  friend bool operator==(const Place&, const Place&) = default;
};

// Nothing without line_info.
std::optional<Place> place_of(const Walk& walk, std::size_t insn);

struct Expression {
  std::string text;  // "data[14]"
  std::string base;  // "data": the name that it begins with
};
std::optional<Expression> expression_at(std::string_view line, std::size_t column);

// Argument `number`, from 1, of the call of `function` in the line: "&key".
std::optional<std::string> argument_of(std::string_view line, std::string_view function, unsigned number);

// What the line sets or declares: "data" of `unsigned char *data = ...`.
std::optional<std::string> assigned_in(std::string_view line);

// What the line stores: "skb->len" of `entry->packets = skb->len;`.
std::optional<std::string> stored_in(std::string_view line);

}  // namespace skep::verifier
