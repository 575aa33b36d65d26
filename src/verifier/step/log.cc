#include "verifier/step/log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace skep::verifier {
namespace {

// States stand in column 40, or behind longer lines in the next column that is a multiple of 8.
constexpr std::size_t kColumn = 40, kStep = 8;
// How much more than the limit is kept before it is cut.
constexpr std::size_t kSlack = std::size_t{1} << 20;

}  // namespace

void Log::write(std::string_view text) {
  size_ += text.size();
  if (level_ & spec::kLogFixed) {
    text_.append(text.substr(0, limit_ - std::min(limit_, text_.size())));
    return;
  }
  text_ += text;
  if (text_.size() < limit_ || text_.size() - limit_ < kSlack) return;
  dropped_ += text_.size() - limit_;
  text_.erase(0, text_.size() - limit_);
}

void Log::take_back(std::size_t size) {
  size_ = size;
  if (size < dropped_) {
    dropped_ = size;
    text_.clear();
  } else {
    text_.resize(std::min(text_.size(), size - dropped_));
  }
}

std::string Log::take() noexcept {
  if (text_.size() > limit_) text_.erase(0, text_.size() - limit_);
  return std::move(text_);
}

void Log::insn(std::size_t index, std::string_view text) {
  const std::size_t start = size_;
  write(fmt::format("{}: {}\n", index, text));
  insn_end_ = size_;
  insn_length_ = insn_end_ - start;
}

void Log::changes(std::size_t index, const State& state, const Changes& which) {
  std::string out;
  if (insn_end_ != 0 && insn_end_ == size_) {
    take_back(size_ - 1);
    out.assign(round_up(std::max(insn_length_ + kStep / 2, kColumn), kStep) - insn_length_ - 1, ' ') += ';';
  } else {
    out = fmt::format("{}:", index);
  }
  append(out, state, state.top, which, context_);
  line(out);
}

void Log::frame(const State& state, unsigned index) {
  std::string out;
  append(out, state, index, Changes::all(), context_);
  line(out);
}

}  // namespace skep::verifier
