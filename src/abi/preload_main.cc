// libskep-preload.so: a dynamically linked program's bpf(2) goes to the hive of `skep exec`, in its host's process.
//
// `skep exec -- PROGRAM` puts this library before libc and says in SKEP_HIVE where the host listens. It takes over what
// libbpf reaches the kernel through: `syscall` for bpf(2), and epoll_ctl for ring buffers; and capget and capset,
// because programs ask whether they may (abi/capabilities.h). Maps need nothing more: their descriptors are memfds, so
// mmap, dup and close work on them as they are. Nothing runs before the first bpf(2) call; a forked child, and what a
// program executes, are on the same hive.
#include <cerrno>
#include <cstdlib>
#include <string>
#include <utility>

#include "abi/capabilities.h"
#include "abi/libc_syscall.h"
#include "abi/poll.h"
#include "abi/uses_hive.h"
#include "wire/client.h"
#include "wire/place.h"
#include "wire/wakeups.h"

namespace skep::abi {
namespace {

const Capabilities& capabilities() noexcept {
  static const Capabilities granted;
  return granted;
}

class ThisThread final : public hive::LocalCaller {
 public:
  hive::Privilege privilege() const noexcept override { return capabilities().privilege(); }
};

// What lives as long as the process: it may call until its very end.
template <class T, class... From>
T& forever(From&&... from) {
  return *new T(std::forward<From>(from)...);
}

wire::Client& client() noexcept {
  static wire::Client& made = forever<wire::Client>([] {
    const char* path = std::getenv(wire::kHiveVariable);
    return std::string(path != nullptr ? path : "");
  }());
  return made;
}
int wakeup_of(int fd) noexcept {
  static wire::Wakeups& made = forever<wire::Wakeups>(client());
  return made.of(fd).value_or(hive::Wakeup{}).event;
}

long preloaded_bpf(int command, void* attr, unsigned size) noexcept {
  uses_hive.store(true, std::memory_order_relaxed);
  ThisThread caller;
  return client().call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
}

}  // namespace
}  // namespace skep::abi

#define SKEP_EXPORT extern "C" __attribute__((visibility("default")))

SKEP_EXPORT long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  const long result = skep::abi::libc_syscall(number, list, skep::abi::preloaded_bpf);
  va_end(list);
  return result;
}

SKEP_EXPORT int epoll_ctl(int epoll, int op, int fd, epoll_event* event) noexcept {
  using namespace skep::abi;
  return static_cast<int>(libc_result(skep::abi::epoll_ctl(epoll, op, fd, event, wakeup_of)));
}

SKEP_EXPORT int capget(cap_user_header_t header, cap_user_data_t data) noexcept {
  return static_cast<int>(skep::abi::libc_result(skep::abi::capabilities().get(header, data)));
}

SKEP_EXPORT int capset(cap_user_header_t header, const __user_cap_data_struct* data) noexcept {
  return static_cast<int>(skep::abi::libc_result(skep::abi::capabilities().set(header, data)));
}

// For `skep map list`, which finds it where this library is loaded: what the hive says of all its maps at once. Calls
// `each` with every hive::ListedMap, of `bytes` bytes as both sides must have it: 0 or a negative errno.
SKEP_EXPORT int skep_list_maps(void (*each)(void* context, const void* map), void* context, unsigned bytes) noexcept {
  if (bytes != sizeof(skep::hive::ListedMap)) return -EPROTO;
  const auto maps = skep::abi::client().maps();
  if (!maps) return -maps.error().code;
  for (const skep::hive::ListedMap& map : *maps) each(context, &map);
  return 0;
}
