#include "abi/capabilities.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/raw_syscall.h"

namespace skep::abi {
namespace {

using Set = Capabilities::Set;

constexpr Set bit(int capability) noexcept { return Set{1} << capability; }
constexpr Set kAsked = bit(CAP_BPF) | bit(CAP_PERFMON) | bit(CAP_NET_ADMIN) | bit(CAP_SYS_ADMIN);

// Of those that are granted, what this thread made ineffective, and what it gave up for good.
thread_local Set lowered = 0;
thread_local Set given_up = 0;

struct Words {
  __user_cap_data_struct word[_LINUX_CAPABILITY_U32S_3];

  Set effective() const noexcept { return join(word[0].effective, word[1].effective); }
  Set permitted() const noexcept { return join(word[0].permitted, word[1].permitted); }
  void add(Set to_effective, Set to_permitted) noexcept {
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
      word[i].effective |= static_cast<__u32>(to_effective >> (32 * i));
      word[i].permitted |= static_cast<__u32>(to_permitted >> (32 * i));
    }
  }
  void remove(Set set) noexcept {
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
      const __u32 kept = ~static_cast<__u32>(set >> (32 * i));
      word[i].effective &= kept;
      word[i].permitted &= kept;
      word[i].inheritable &= kept;
    }
  }

 private:
  static Set join(__u32 low, __u32 high) noexcept { return Set{high} << 32 | low; }
};

long ask(long number, const void* header, const void* data) noexcept {
  return raw_syscall(number, reinterpret_cast<long>(header), reinterpret_cast<long>(data));
}

Words kernels() noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  Words words{};
  ask(SYS_capget, &header, words.word);
  return words;
}

// Whether a call is about this thread and in the form with 64 capabilities. Bad addresses are left to the kernel.
bool is_ours(hive::LocalCaller& caller, const void* at) noexcept {
  __user_cap_header_struct header{};
  const MutableBytes bytes = std::as_writable_bytes(std::span(&header, 1));
  return caller.copy_in(reinterpret_cast<std::uintptr_t>(at), bytes) &&
         (header.version == _LINUX_CAPABILITY_VERSION_3 || header.version == 0x20071026) &&
         (header.pid == 0 || header.pid == ::gettid());
}

}  // namespace

Capabilities::Capabilities() noexcept : granted_(kAsked & ~kernels().permitted()) {}

long Capabilities::get(cap_user_header_t header, cap_user_data_t data) const noexcept {
  hive::LocalCaller caller;
  if (data == nullptr || !is_ours(caller, header)) return ask(SYS_capget, header, data);
  Words words{};
  if (const long result = ask(SYS_capget, header, words.word); result != 0) return result;
  words.add(granted_ & ~(lowered | given_up), granted_ & ~given_up);
  return caller.copy_out(reinterpret_cast<std::uintptr_t>(data), bytes_of(words)) ? 0 : -EFAULT;
}

long Capabilities::set(cap_user_header_t header, const __user_cap_data_struct* data) const noexcept {
  hive::LocalCaller caller;
  Words words{};
  const MutableBytes bytes = std::as_writable_bytes(std::span(&words, 1));
  if (!is_ours(caller, header) || !caller.copy_in(reinterpret_cast<std::uintptr_t>(data), bytes))
    return ask(SYS_capset, header, data);
  const Set effective = words.effective() & granted_;
  const Set permitted = words.permitted() & granted_;
  if ((effective & ~permitted) != 0 || (permitted & given_up) != 0) return -EPERM;
  words.remove(granted_);
  if (const long result = ask(SYS_capset, header, words.word); result != 0) return result;
  given_up = granted_ & ~permitted;
  lowered = granted_ & ~effective;
  return 0;
}

hive::Privilege Capabilities::privilege() const noexcept {
  const Set effective = kernels().effective() | (granted_ & ~(lowered | given_up));
  const auto has = [effective](int capability) { return (effective & (bit(capability) | bit(CAP_SYS_ADMIN))) != 0; };
  return {.bpf = has(CAP_BPF),
          .perfmon = has(CAP_PERFMON),
          .net_admin = has(CAP_NET_ADMIN),
          .sys_admin = has(CAP_SYS_ADMIN)};
}

}  // namespace skep::abi
