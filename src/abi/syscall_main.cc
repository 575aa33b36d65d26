// libc's `syscall`, our own: bpf(2) is routed (abi/route.h), everything else goes on to the kernel unchanged. An object
// of its own (target skep_abi_syscall), so that only programs that want it have it. Exported, because libbpf.so binds
// to it.
#include <unistd.h>

#include "abi/libc_syscall.h"
#include "abi/poll.h"
#include "abi/route.h"

extern "C" __attribute__((visibility("default"))) long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  const long result = skep::abi::libc_syscall(number, list, skep::abi::bpf);
  va_end(list);
  return result;
}

extern "C" __attribute__((visibility("default"))) int epoll_ctl(int epoll, int op, int fd,
                                                                struct epoll_event* event) noexcept {
  using namespace skep::abi;
  return static_cast<int>(libc_result(skep::abi::epoll_ctl(epoll, op, fd, event, ring_buffer_wakeup)));
}
