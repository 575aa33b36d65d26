#include "hive/log.h"

#include "spec/uapi.h"

namespace skep::hive {
namespace {
constexpr std::uint32_t kLevels = spec::kLogBranches | spec::kLogStates | spec::kLogStats | spec::kLogFixed;
}

bool Log::valid() const noexcept {
  if ((address != 0) != (size != 0)) return false;
  if (address != 0 && level == 0) return false;
  return (level & ~kLevels) == 0 && size <= UINT32_MAX >> 2;
}

void Log::add(const std::string& line) {
  if (!wanted() || line.empty()) return;
  text += line;
  if (!line.ends_with('\n')) text += '\n';
}

void Log::add(std::string part, std::size_t written) noexcept {
  left_out += written - part.size();
  text += part;
}

std::uint32_t Log::true_size() const noexcept {
  return wanted() && !text.empty() ? static_cast<std::uint32_t>(text.size() + left_out + 1) : 0;
}

int Log::write(Caller& caller) const {
  if (!wanted() || address == 0 || text.empty()) return 0;
  const bool fits = text.size() + left_out < size;
  std::string part = text;
  if (text.size() >= size)
    part = (level & spec::kLogFixed) != 0 ? text.substr(0, size - 1) : text.substr(text.size() - (size - 1));
  if (!caller.copy_out(address, std::as_bytes(std::span(part.c_str(), part.size() + 1)))) return EFAULT;
  return fits ? 0 : ENOSPC;
}

}  // namespace skep::hive
