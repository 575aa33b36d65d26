#include "loader/log.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <vector>

namespace skep::loader {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr std::size_t kHeadLines = 30, kTailLines = 40;

thread_local std::string* collector = nullptr;

// One line or more, formatted; false when it cannot be.
bool format_into(std::string& out, const char* format, va_list list) {
  std::array<char, 512> small;
  va_list again;
  va_copy(again, list);
  const int length = std::vsnprintf(small.data(), small.size(), format, list);
  if (length >= 0 && static_cast<std::size_t>(length) < small.size()) {
    out.append(small.data(), static_cast<std::size_t>(length));
  } else if (length > 0) {
    std::string large(static_cast<std::size_t>(length) + 1, '\0');
    std::vsnprintf(large.data(), large.size(), format, again);
    out.append(large, 0, static_cast<std::size_t>(length));
  }
  va_end(again);
  return length >= 0;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.starts_with("libbpf: ")) line.remove_prefix(8);
    if (!line.empty()) lines.push_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

}  // namespace

__attribute__((format(printf, 2, 0))) static int collect_line(libbpf_print_level level, const char* format,
                                                              va_list list) {
  if (level != LIBBPF_WARN || !collector || collector->size() > kMaxBytes) return 0;
  format_into(*collector, format, list);
  return 0;
}

Log::Log() {
  static std::once_flag once;
  std::call_once(once, [] { libbpf_set_print(collect_line); });
  collector = &raw_;
}

Log::~Log() { collector = nullptr; }

std::string Log::text() const {
  const std::vector<std::string_view> lines = lines_of(raw_);
  const bool whole = lines.size() <= kHeadLines + kTailLines;
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!whole && i == kHeadLines) {
      const std::size_t left_out = lines.size() - kHeadLines - kTailLines;
      out += fmt::format("... {} lines left out ...\n", left_out);
      i += left_out;
    }
    out.append(lines[i]).append("\n");
  }
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace skep::loader
