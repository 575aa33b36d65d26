// What iterators' programs write: formatted text and bytes.
#include <algorithm>

#include "helpers/format.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

// The sequence of this run; null for another one, of which there is none.
exec::Sequence* sequence_of(const Call& call, const std::byte* handle) noexcept {
  return call.sequence != nullptr && call.sequence->handle() == handle ? call.sequence : nullptr;
}

std::int64_t outcome(const exec::Sequence& sequence) noexcept { return sequence.overflowed() ? -EOVERFLOW : 0; }

std::int64_t seq_printf(Call& call, std::byte* to, Bytes format, Bytes data) noexcept {
  exec::Sequence* sequence = sequence_of(call, to);
  std::array<std::uint64_t, kMaxFormatArguments> arguments;
  const auto nul = std::ranges::find(format, std::byte{0});
  if (sequence == nullptr || nul == format.end() || !read_arguments(data, arguments)) return -EINVAL;
  const std::string_view text(reinterpret_cast<const char*>(format.data()),
                              static_cast<std::size_t>(nul - format.begin()));
  const std::int64_t length = format_text(sequence->room(), text, std::span(arguments).first(data.size() / 8));
  if (length < 0) return length;
  sequence->wrote(static_cast<std::size_t>(length));
  return outcome(*sequence);
}

std::int64_t seq_write(Call& call, std::byte* to, Bytes bytes) noexcept {
  exec::Sequence* sequence = sequence_of(call, to);
  if (sequence == nullptr) return -EINVAL;
  sequence->write(bytes);
  return outcome(*sequence);
}

}  // namespace

std::span<const Binding> sequence_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(seq_printf), SKEP_BIND(seq_write)};
  return rows;
}

}  // namespace skep::helpers
