// What a program is told of itself that is to take itself for root. Nothing changes but what it is told: the kernel
// goes on refusing what it refuses its user.
#include <linux/capability.h>

#include <cerrno>

#include "base/thread_status.h"
#include "supervisor/answers.h"

namespace skep::supervisor::answers {
namespace {

constexpr std::uint32_t kSecondVersion = 0x20071026;

bool is_about_itself(const Waiting& caller, int process) noexcept {
  const auto number = static_cast<std::uint32_t>(process);
  return process == 0 || number == caller.thread() || number == thread_status(caller.thread()).process;
}

}  // namespace

// getresuid(2) and getresgid(2): the real, the effective and the saved one.
Answer give_ids(Call& call) noexcept {
  constexpr std::uint32_t kRoot = 0;
  for (unsigned i = 0; i < 3; ++i)
    if (!call.caller->copy_out(call.caller->argument(i), bytes_of(kRoot))) return -EFAULT;
  return 0;
}

Answer give_capabilities(Call& call) noexcept {
  Waiting& caller = *call.caller;
  const auto header = read<__user_cap_header_struct>(caller, caller.argument(0));
  const bool is_long = header && (header->version == _LINUX_CAPABILITY_VERSION_3 || header->version == kSecondVersion);
  if (!is_long || caller.argument(1) == 0 || !is_about_itself(caller, header->pid)) return Answer::How::PassOn;
  constexpr std::uint64_t kAll = (std::uint64_t{2} << CAP_LAST_CAP) - 1;
  __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3] = {};
  for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i)
    words[i].effective = words[i].permitted = static_cast<std::uint32_t>(kAll >> (32 * i));
  return caller.copy_out(caller.argument(1), bytes_of(words)) ? 0 : -EFAULT;
}

}  // namespace skep::supervisor::answers
