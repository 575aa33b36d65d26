#include "supervisor/filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/raw_syscall.h"

namespace skep::supervisor {
namespace {

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)  // Linux 5.19: only fatal signals disturb who waits
#endif

constexpr std::uint32_t kI386Bpf = 357;  // arch/x86/entry/syscalls/syscall_32.tbl
constexpr std::uint32_t kX32 = 0x40000000;

using Program = std::vector<sock_filter>;

constexpr sock_filter load(std::size_t offset) noexcept {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
constexpr sock_filter load_argument(unsigned number) noexcept {
  return load(offsetof(seccomp_data, args) + number * sizeof(std::uint64_t));  // its low half
}
constexpr sock_filter give(std::uint32_t action) noexcept { return BPF_STMT(BPF_RET | BPF_K, action); }
constexpr sock_filter skip_unless(std::uint32_t value, std::size_t count) noexcept {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<std::uint8_t>(count));
}

// With the system call's number loaded, before and after.
void add(Program& program, std::uint32_t number, const Program& answer) {
  program.push_back(skip_unless(number, answer.size()));
  program.insert(program.end(), answer.begin(), answer.end());
}

Program where(unsigned argument, std::uint32_t mask, std::uint32_t value, std::uint32_t action) {
  if (mask == 0) return {give(action)};
  return {load_argument(argument), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask), skip_unless(value, 1), give(action),
          load(offsetof(seccomp_data, nr))};
}

Program unless_unasked(std::uint32_t action) {
  return {load_argument(5), skip_unless(kUnasked, 1), give(SECCOMP_RET_ALLOW), give(action)};
}

void add_root(Program& program, std::uint32_t others_action) {
#define CALL(answer, number, argument, mask, value)
#define LEAN(answer, number)
#define ROOT(answer, number) add(program, number, {give(others_action)});
#define ZERO(number) add(program, number, unless_unasked(SECCOMP_RET_ERRNO));
#include "supervisor/calls.def"
#undef CALL
#undef LEAN
#undef ROOT
#undef ZERO
}

// Where somebody around this process answers: what the filter says itself.
Program without_listener() {
  Program program = {load(offsetof(seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
                     give(SECCOMP_RET_ALLOW), load(offsetof(seccomp_data, nr))};
  add_root(program, SECCOMP_RET_ALLOW);
  program.push_back(give(SECCOMP_RET_ALLOW));
  return program;
}

Program whole(As as) {
  Program program;
  const Program other = {load(offsetof(seccomp_data, nr)), skip_unless(kI386Bpf, 1), give(SECCOMP_RET_ERRNO | ENOSYS),
                         give(SECCOMP_RET_ALLOW)};
  program.push_back(load(offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, static_cast<std::uint8_t>(other.size()), 0));
  program.insert(program.end(), other.begin(), other.end());
  program.push_back(load(offsetof(seccomp_data, nr)));
  add(program, SYS_bpf | kX32, {give(SECCOMP_RET_ERRNO | ENOSYS)});
#define CALL(answer, number, argument, mask, value) \
  add(program, number, where(argument, mask, value, SECCOMP_RET_USER_NOTIF));
#define LEAN(answer, number) add(program, number, unless_unasked(SECCOMP_RET_USER_NOTIF));
#define ROOT(answer, number)
#define ZERO(number)
#include "supervisor/calls.def"
#undef CALL
#undef LEAN
#undef ROOT
#undef ZERO
  if (as == As::Root) add_root(program, SECCOMP_RET_USER_NOTIF);
  program.push_back(give(SECCOMP_RET_ALLOW));
  return program;
}

int install(Program& program, unsigned long flags) {
  const sock_fprog told{static_cast<unsigned short>(program.size()), program.data()};
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &told));
}

int install(Program& program) {
  const int listener = install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  return listener < 0 && errno == EINVAL ? install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER) : listener;
}

}  // namespace

Result<Fd> install_filter(As as) {
  Program program = whole(as);
  int listener = install(program);
  if (listener < 0 && errno == EACCES && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) listener = install(program);
  if (listener < 0 && errno == EBUSY && as == As::Root) {
    program = without_listener();
    if (install(program, 0) == 0) errno = EBUSY;
  }
  if (listener < 0) return fail(errno, std::strerror(errno));
  return Fd(listener);
}

}  // namespace skep::supervisor
