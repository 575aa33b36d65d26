#include "verifier/step/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/bytes.h"

namespace skep::verifier {
namespace {

// States stand in column 40, or behind longer lines in the next column that is a multiple of 8.
constexpr std::size_t kColumn = 40, kStep = 8;

}  // namespace

void Log::insn(std::size_t index, std::string_view text) {
  const std::size_t start = text_.size();
  fmt::format_to(std::back_inserter(text_), "{}: {}\n", index, text);
  insn_end_ = text_.size();
  insn_length_ = insn_end_ - start;
}

void Log::changes(std::size_t index, const Frame& frame, const Changes& which) {
  if (insn_end_ != 0 && insn_end_ == text_.size()) {
    const std::size_t width = round_up(std::max(insn_length_ + kStep / 2, kColumn), kStep) - insn_length_ - 1;
    text_.pop_back();
    text_.append(width, ' ') += ';';
  } else {
    fmt::format_to(std::back_inserter(text_), "{}:", index);
  }
  append(text_, frame, which, rules_);
  text_ += '\n';
}

void Log::path(std::size_t from, std::size_t to, const Frame& frame) {
  fmt::format_to(std::back_inserter(text_), "\nfrom {} to {}:", from, to);
  append(text_, frame, Changes::all(), rules_);
  text_ += '\n';
}

}  // namespace skep::verifier
