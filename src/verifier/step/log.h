// The verifier's log: lines of instructions, each followed by what it changed.
//
// Linux writes the state behind the instruction's line if nothing came between, else on a line of its own; at
// log level 1 a path that turned out well is taken back. Level 0 keeps nothing and formats nothing. At most `limit`
// bytes are kept: the last ones, or with BPF_LOG_FIXED the first; positions and the true size count all that was
// written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spec/uapi.h"
#include "verifier/state/state.h"

namespace skep::verifier {

class Log {
 public:
  Log(std::uint32_t level, std::size_t limit, const PrintContext& context) noexcept
      : level_(level), limit_(limit), context_(context) {}

  bool on() const noexcept { return level_ != 0; }
  bool shows_walk() const noexcept { return (level_ & (spec::kLogBranches | spec::kLogStates)) != 0; }
  bool shows_all_paths() const noexcept { return (level_ & spec::kLogStates) != 0; }
  bool shows_statistics() const noexcept { return (level_ & spec::kLogStats) != 0; }

  // `text` and the end of the line; or `text` alone, to be continued.
  void line(std::string_view text) {
    if (!on()) return;
    write(text);
    write("\n");
  }
  void part(std::string_view text) {
    if (on()) write(text);
  }
  void insn(std::size_t index, std::string_view text);
  // What changed at `index` in the current frame, behind the last instruction if that is the last line.
  void changes(std::size_t index, const State& state, const Changes& which);
  // A frame of the state, behind what was written before, to the line's end.
  void frame(const State& state, unsigned index);

  std::size_t size() const noexcept { return size_; }
  void take_back(std::size_t size);
  std::string take() noexcept;

 private:
  void write(std::string_view text);

  std::uint32_t level_;
  std::size_t limit_;
  PrintContext context_;
  std::string text_;
  std::size_t size_ = 0;      // of all that was written
  std::size_t dropped_ = 0;   // bytes before text_
  std::size_t insn_end_ = 0;  // of the last instruction's line, and its length
  std::size_t insn_length_ = 0;
};

}  // namespace skep::verifier
