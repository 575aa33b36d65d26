#include "supervisor/supervisor.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/thread_status.h"
#include "spec/commands.h"
#include "wire/channel.h"

namespace skep::supervisor {
namespace {

constexpr unsigned kThreads = 8;  // calls that may be under way at once, but for those that are answered later()

const int kStop = SIGRTMIN;  // interrupts a thread that waits for a call

struct Row {
  int number;
  Answer (*answer)(Call& call) noexcept;
};
constexpr Row kRows[] = {
#define CALL(answer, number, argument, mask, value) {number, answers::answer},
#define LEAN(answer, number) {number, answers::answer},
#define ROOT(answer, number) {number, answers::answer},
#define ZERO(number)
#include "supervisor/calls.def"
#undef CALL
#undef LEAN
#undef ROOT
#undef ZERO
};

wire::Identity identity_of(std::uint32_t thread) noexcept {
  const ThreadStatus status = thread_status(thread);
  wire::Identity found{.pid_tgid = std::uint64_t{status.process} << 32 | thread,
                       .uid_gid = std::uint64_t{status.gid} << 32 | status.uid,
                       .comm = {},
                       .cpu = wire::Identity::kAnyCpu,
                       .reserved = 0};
  std::memcpy(found.comm, status.name, sizeof found.comm);
  return found;
}

void answer_one(Reach& reach, std::unique_ptr<Waiting> caller) noexcept {
  const auto row = std::ranges::find(kRows, caller->number(), &Row::number);
  if (row == std::end(kRows)) return caller->pass_on();
  Call call{.reach = reach, .caller = std::move(caller)};
  call.end(row->answer(call));
}

Answer make_call(Call& call, const wire::Identity& who) noexcept {
  Waiting& caller = *call.caller;
  return call.reach.client.call(caller, caller.word(0), caller.argument(1),
                                static_cast<std::uint32_t>(caller.argument(2)), &who);
}

}  // namespace

void Call::end(const Answer& answer) const noexcept {
  switch (answer.how) {
    case Answer::How::Result: return caller->answer(answer.result);
    case Answer::How::PassOn: return caller->pass_on();
    case Answer::How::Later: return;
  }
}

Answer later(Call& call, std::function<Answer(Call& call)> answer) noexcept {
  const auto own = std::make_shared<Call>(Call{.reach = call.reach, .caller = std::move(call.caller)});
  const auto answer_it = [own, answer] {
    own->end(answer(*own));
    own->reach.later.fetch_sub(1);
  };
  own->reach.later.fetch_add(1);
  try {
    std::thread(answer_it).detach();
  } catch (const std::system_error&) {
    answer_it();
  }
  return Answer::How::Later;
}

Answer answers::bpf(Call& call) noexcept {
  if (call.caller->word(0) != static_cast<int>(spec::Command::ProgTestRun)) return make_call(call, {});
  return later(call, [](Call& own) { return make_call(own, identity_of(own.caller->thread())); });
}

void Supervisor::start() {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(kStop, &action, nullptr);
  reach_.is_stopping = false;
  running_ = kThreads;
  for (unsigned i = 0; i < kThreads; ++i)
    threads_.emplace_back([this] {
      answer_calls();
      --running_;
    });
}

void Supervisor::stop() noexcept {
  reach_.is_stopping = true;
  // One that was not waiting when it was signalled is signalled again.
  while (running_ != 0 || reach_.later != 0) {
    for (std::thread& thread : threads_) ::pthread_kill(thread.native_handle(), kStop);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Supervisor::answer_calls() noexcept {
  while (!reach_.is_stopping) {
    seccomp_notif call{};
    if (::ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) {
      if (errno == EINTR || (errno == ENOENT && is_needed())) continue;  // ENOENT: it was killed before we got it
      return;
    }
    answer_one(reach_, std::make_unique<Waiting>(listener_.get(), call));
  }
}

bool Supervisor::is_needed() const noexcept {
  pollfd asked{.fd = listener_.get(), .events = 0, .revents = 0};
  return ::poll(&asked, 1, 0) == 0 || (asked.revents & POLLHUP) == 0;
}

void Supervisor::wait() const noexcept {
  pollfd asked{.fd = listener_.get(), .events = 0, .revents = 0};
  while ((asked.revents & POLLHUP) == 0)
    if (::poll(&asked, 1, -1) < 0 && errno != EINTR) return;
}

}  // namespace skep::supervisor
