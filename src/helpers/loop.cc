// bpf_loop.
#include "helpers/subjects.h"
#include "spec/uapi.h"

namespace skep::helpers {

namespace {

// Calls back with (index, context) until a callback returns 1: the number of calls. Where the verifier knows that there
// are none, the function it was given may be gone.
std::int64_t loop(Call& call, std::uint32_t times, Function function, std::byte* context,
                  std::uint64_t flags) noexcept {
  if (flags != 0) return -EINVAL;
  if (times > spec::kMaxLoops) return -E2BIG;
  if (times != 0 && call.callback == nullptr) return -EINVAL;
  for (std::uint32_t i = 0; i < times; ++i) {
    const std::uint64_t stop =
        call.callback(call, static_cast<std::uint64_t>(function), i, reinterpret_cast<std::uint64_t>(context), 0, 0, 0);
    if (stop != 0 || call.stopped) return std::int64_t{i} + 1;
  }
  return times;
}

}  // namespace

std::span<const Binding> loop_bindings() noexcept {
  static constexpr Binding rows[] = {SKEP_BIND(loop)};
  return rows;
}

}  // namespace skep::helpers
