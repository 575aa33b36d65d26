// libskep-preload.so: a dynamically linked program's bpf(2) goes to a hive inside that process.
//
// `skep exec -- PROGRAM` puts this library before libc. It takes over what libbpf reaches the kernel through:
// `syscall` for bpf(2), and epoll_ctl for ring buffers; and capget and capset, because programs ask whether they may
// (abi/capabilities.h). Maps need nothing more: their descriptors are memfds, so
// mmap, dup and close work on them as they are. Nothing runs before the first bpf(2) call, which makes the
// hive. A forked child goes on with what it inherited; what either makes afterwards is its own.
//
// SKEP_ENGINE=interp|checked|jit chooses the policy programs run with, SKEP_UNVERIFIED=on|off whether they may run
// without having been verified, and then checked; SKEP_UNPRIVILEGED_BPF=on lets threads without capabilities load
// programs; SKEP_JIT_HARDEN, SKEP_JIT_RETPOLINES and SKEP_JIT_TOOLS are how they are compiled, and who is told
// (docs/jit-tools.md).
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "abi/capabilities.h"
#include "abi/libc_syscall.h"
#include "abi/poll.h"
#include "abi/route.h"

namespace skep::abi {
namespace {

bool is_set(const char* variable, std::string_view value) noexcept {
  const char* text = std::getenv(variable);
  return text != nullptr && text == value;
}

const Capabilities& capabilities() noexcept {
  static const Capabilities granted;
  return granted;
}

// The variables of src/cli/jit_options.h.
void compile_as_asked(hive::Options& options) {
  if (is_set("SKEP_JIT_HARDEN", "1")) options.harden = hive::Harden::Unprivileged;
  if (is_set("SKEP_JIT_HARDEN", "2")) options.harden = hive::Harden::All;
  options.jit.hardening.retpolines = is_set("SKEP_JIT_RETPOLINES", "on");
  const char* tools = std::getenv("SKEP_JIT_TOOLS");
  const auto told = jit::tools_of(tools != nullptr ? tools : "");
  if (told) options.jit.tools = *told;
  if (!told) std::fprintf(stderr, "skep: SKEP_JIT_TOOLS: %s\n", told.error().message.c_str());
}

hive::Hive* make_hive() noexcept {
  hive::Options options;
  if (is_set("SKEP_ENGINE", "interp")) options.engine = hive::Engine::Interp;
  if (is_set("SKEP_ENGINE", "jit")) options.engine = hive::Engine::Jit;
  if (is_set("SKEP_ENGINE", "checked")) options.engine = hive::Engine::Checked;
  if (is_set("SKEP_UNVERIFIED", "on")) options.verification = hive::Verification::Skipped;
  if (is_set("SKEP_UNVERIFIED", "off")) options.verification = hive::Verification::Required;
  options.unprivileged = is_set("SKEP_UNPRIVILEGED_BPF", "on");
  compile_as_asked(options);
  auto made = hive::Hive::create(options);
  if (made) {
    set_process_hive(made->get(), []() noexcept { return capabilities().privilege(); });
    return made->release();  // lives as long as the process
  }
  std::fprintf(stderr, "skep: no hive in this process: %s\n", made.error().message.c_str());
  return nullptr;
}

long preloaded_bpf(int command, void* attr, unsigned size) noexcept {
  static hive::Hive* const hive = make_hive();
  return hive ? bpf(command, attr, size) : -ENOMEM;
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
  return static_cast<int>(skep::abi::libc_result(skep::abi::epoll_ctl(epoll, op, fd, event)));
}

SKEP_EXPORT int capget(cap_user_header_t header, cap_user_data_t data) noexcept {
  return static_cast<int>(skep::abi::libc_result(skep::abi::capabilities().get(header, data)));
}

SKEP_EXPORT int capset(cap_user_header_t header, const __user_cap_data_struct* data) noexcept {
  return static_cast<int>(skep::abi::libc_result(skep::abi::capabilities().set(header, data)));
}
