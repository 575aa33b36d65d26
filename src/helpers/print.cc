// Formatted text: to the trace, to the program's memory.
#include <algorithm>

#include "helpers/format.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

constexpr std::size_t kTraceLine = 1024;  // bytes of a trace line, its NUL included

using Arguments = std::array<std::uint64_t, kMaxFormatArguments>;

// The format up to its NUL; -EINVAL when it has none.
std::int64_t trace(Call& call, Bytes format, std::span<const std::uint64_t> arguments) noexcept {
  const auto nul = std::ranges::find(format, std::byte{0});
  if (nul == format.end()) return -EINVAL;
  char line[kTraceLine];
  const std::string_view text(reinterpret_cast<const char*>(format.data()),
                              static_cast<std::size_t>(nul - format.begin()));
  const std::int64_t length = format_text(line, text, arguments);
  if (length >= 0) call.host.trace({line, std::min(static_cast<std::size_t>(length), kTraceLine - 1)});
  return length;
}

std::int64_t trace_printk(Call& call, Bytes format, std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  const std::uint64_t arguments[] = {a, b, c};
  return trace(call, format, arguments);
}

std::int64_t trace_vprintk(Call& call, Bytes format, Bytes data) noexcept {
  Arguments arguments;
  if (!read_arguments(data, arguments)) return -EINVAL;
  return trace(call, format, std::span(arguments).first(data.size() / 8));
}

// The length of the whole text with its NUL.
std::int64_t snprintf(Call&, MutableBytes to, const char* format, Bytes data) noexcept {
  Arguments arguments;
  if (!read_arguments(data, arguments)) return -EINVAL;
  const std::span<char> text(reinterpret_cast<char*>(to.data()), to.size());
  const std::int64_t length = format_text(text, format, std::span(arguments).first(data.size() / 8));
  return length < 0 ? length : length + 1;
}

}  // namespace

std::span<const Binding> print_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(trace_printk), SKEP_BIND(trace_vprintk), SKEP_BIND(snprintf)};
  return rows;
}

}  // namespace skep::helpers
