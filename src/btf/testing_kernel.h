// For tests that compare with the running kernel: its bpf(2), where there is one that this process may call.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace skep::btf::testing {

// The result of bpf(2), or a negative errno.
inline long kernel_bpf(std::uint32_t command, void* attr, std::size_t size) noexcept {
  const long result = ::syscall(SYS_bpf, command, attr, size);
  return result < 0 ? -errno : result;
}

// Whether the kernel lets this process load programs and BTF: MAP_CREATE of a one-element array that needs CAP_BPF.
inline bool kernel_has_bpf() noexcept {
  std::uint32_t attr[32] = {11, 8, 1, 1, 1};  // lpm_trie of 8-byte keys, BPF_F_NO_PREALLOC
  const long fd = kernel_bpf(0, attr, sizeof attr);
  if (fd < 0) return false;
  ::close(static_cast<int>(fd));
  return true;
}

}  // namespace skep::btf::testing

// First line of such a test.
#define SKEP_NEEDS_KERNEL_BPF()                \
  if (!::skep::btf::testing::kernel_has_bpf()) \
  GTEST_SKIP() << "bpf(2) of the running kernel is not there or not allowed"
