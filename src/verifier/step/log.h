// The verifier's log: lines of instructions, each followed by what it changed.
//
// Linux writes the state behind the instruction's line if nothing came between, else on a line of its own; at
// log level 1 a path that turned out well is taken back. Level 0 keeps nothing and formats nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spec/uapi.h"
#include "verifier/state/frame.h"

namespace skep::verifier {

class Log {
 public:
  Log(std::uint32_t level, Rules rules) noexcept : level_(level), rules_(rules) {}

  bool on() const noexcept { return level_ != 0; }
  bool shows_walk() const noexcept { return (level_ & (spec::kLogBranches | spec::kLogStates)) != 0; }
  bool shows_all_paths() const noexcept { return (level_ & spec::kLogStates) != 0; }
  bool shows_statistics() const noexcept { return (level_ & spec::kLogStats) != 0; }

  void line(std::string_view text) {
    if (on()) text_.append(text) += '\n';
  }
  void insn(std::size_t index, std::string_view text);
  // What changed at `index`, behind the last instruction if that is the last line.
  void changes(std::size_t index, const Frame& frame, const Changes& which);
  void path(std::size_t from, std::size_t to, const Frame& frame);

  std::size_t size() const noexcept { return text_.size(); }
  void take_back(std::size_t size) { text_.resize(size); }
  std::string take() noexcept { return std::move(text_); }

 private:
  std::uint32_t level_;
  Rules rules_;
  std::string text_;
  std::size_t insn_end_ = 0;  // of the last instruction's line, and its length
  std::size_t insn_length_ = 0;
};

}  // namespace skep::verifier
