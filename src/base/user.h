// Whose process this is, as the kernel has it. Under `skep exec --root` libc's getuid(2) and its kin say root.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>

#include "base/raw_syscall.h"

namespace skep {

inline uid_t real_user() noexcept { return static_cast<uid_t>(raw_syscall(SYS_getuid, 0, 0, 0, 0, 0, kUnasked)); }
inline gid_t real_group() noexcept { return static_cast<gid_t>(raw_syscall(SYS_getgid, 0, 0, 0, 0, 0, kUnasked)); }
inline uid_t effective_user() noexcept { return static_cast<uid_t>(raw_syscall(SYS_geteuid, 0, 0, 0, 0, 0, kUnasked)); }

}  // namespace skep
