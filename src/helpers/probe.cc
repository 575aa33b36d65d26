// Reading any address. A hive has one address space, so user and kernel addresses are the same here.
#include "helpers/safe_read.h"
#include "helpers/subjects.h"

namespace skep::helpers {

namespace {

std::int64_t clear(MutableBytes to) noexcept {
  if (!to.empty()) std::memset(to.data(), 0, to.size());
  return -EFAULT;
}

std::int64_t probe_read(Call&, MutableBytes to, std::uint64_t from) noexcept {
  return safe_read(from, to) ? 0 : clear(to);
}
std::int64_t probe_read_kernel(Call& call, MutableBytes to, std::uint64_t from) noexcept {
  return probe_read(call, to, from);
}
std::int64_t probe_read_user(Call& call, MutableBytes to, std::uint64_t from) noexcept {
  return probe_read(call, to, from);
}
std::int64_t copy_from_user(Call& call, MutableBytes to, std::uint64_t from) noexcept {
  if (call.system == nullptr) return probe_read(call, to, from);
  return call.system->read(from, to) ? 0 : clear(to);
}

// The length with the NUL; 0 when there is no room at all.
std::int64_t probe_read_str(Call&, MutableBytes to, std::uint64_t from) noexcept {
  const std::int64_t length = safe_read_string(from, to);
  return length < 0 ? clear(to) : length;
}
std::int64_t probe_read_kernel_str(Call& call, MutableBytes to, std::uint64_t from) noexcept {
  return probe_read_str(call, to, from);
}
std::int64_t probe_read_user_str(Call& call, MutableBytes to, std::uint64_t from) noexcept {
  return probe_read_str(call, to, from);
}

}  // namespace

std::span<const Binding> probe_bindings() noexcept {
  static constexpr Binding rows[] = {
      SKEP_BIND(probe_read),          SKEP_BIND(probe_read_kernel), SKEP_BIND(probe_read_user),
      SKEP_BIND(copy_from_user),      SKEP_BIND(probe_read_str),    SKEP_BIND(probe_read_kernel_str),
      SKEP_BIND(probe_read_user_str),
  };
  return rows;
}

}  // namespace skep::helpers
