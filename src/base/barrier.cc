#include "base/barrier.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace skep {
namespace {

enum class Known : std::uint8_t { NotYet, No, Yes };

struct Commands {
  int arrive, send;
};
constexpr std::array<Commands, 2> kCommands = {{
    {MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, MEMBARRIER_CMD_PRIVATE_EXPEDITED},
    {MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, MEMBARRIER_CMD_GLOBAL_EXPEDITED},
}};
constinit std::array<std::atomic<Known>, kCommands.size()> arrives{};

// A fork's child is another process to the kernel.
[[maybe_unused]] const int kForget = pthread_atfork(nullptr, nullptr, [] {
  for (auto& known : arrives) known.store(Known::NotYet, std::memory_order_relaxed);
});

bool ask(int command) noexcept {
  const int saved = errno;
  const bool done = ::syscall(SYS_membarrier, command, 0, 0) == 0;
  errno = saved;
  return done;
}

}  // namespace

bool barriers_arrive(Reach reach) noexcept {
  const auto which = static_cast<std::size_t>(reach);
  Known known = arrives[which].load(std::memory_order_relaxed);
  if (known == Known::NotYet) {
    known = ask(kCommands[which].arrive) ? Known::Yes : Known::No;
    arrives[which].store(known, std::memory_order_relaxed);
  }
  return known == Known::Yes;
}

bool barrier_in_all(Reach reach) noexcept {
  if (reach == Reach::Process && !barriers_arrive(reach)) return false;
  return ask(kCommands[static_cast<std::size_t>(reach)].send);
}

}  // namespace skep
