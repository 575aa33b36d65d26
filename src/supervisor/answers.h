// What the supervisor answers, one function per system call of supervisor/calls.def.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "supervisor/waiting.h"
#include "wire/client.h"
#include "wire/wakeups.h"

namespace skep::supervisor {

// The hive, as all calls of the tree reach it.
struct Reach {
  explicit Reach(std::string path) : client(std::move(path)) {}
  wire::Client client;
  wire::Wakeups wakeups{client};
  std::atomic<bool> is_stopping{false};  // who waits for something is to give up: -EINTR
  std::atomic<unsigned> later{0};        // calls that are being answered in threads of their own
};

// Of one call: a result or a negative errno; or how it ends otherwise.
struct Answer {
  enum class How : std::uint8_t {
    Result,
    PassOn,  // the kernel answers
    Later,   // a thread of its own does: later()
  };
  Answer(long value) noexcept : result(value) {}  // NOLINT: a result is an answer
  Answer(How end) noexcept : how(end) {}          // NOLINT
  How how = How::Result;
  long result = 0;
};

// A call, as long as it is being answered.
struct Call {
  Reach& reach;
  std::unique_ptr<Waiting> caller;
  // Ends it, unless somebody else will.
  void end(const Answer& answer) const noexcept;
};

// Answers in a thread of its own what may take long: other calls are not to wait for it. Takes the caller over.
Answer later(Call& call, std::function<Answer(Call& call)> answer) noexcept;

namespace answers {

Answer bpf(Call& call) noexcept;
// answer_epoll.cc: epoll_ctl(2) on ring buffers and perf events.
Answer wait_on_epoll(Call& call) noexcept;
// answer_poll.cc: poll(2) and its kin, of which one is.
Answer wait_on_poll(Call& call) noexcept;
Answer wait_on_ppoll(Call& call) noexcept;
Answer wait_on_select(Call& call) noexcept;
Answer wait_on_pselect(Call& call) noexcept;
// answer_events.cc: perf events that receive what programs output.
Answer open_event(Call& call) noexcept;
Answer map_event(Call& call) noexcept;
Answer control_event(Call& call) noexcept;
// answer_attach.cc: programs of the hive for the machine's sockets and events.
Answer attach_to_socket(Call& call) noexcept;
Answer attach_to_event(Call& call, bool is_hives) noexcept;
// answer_root.cc: who the caller is: root.
Answer give_ids(Call& call) noexcept;
Answer give_capabilities(Call& call) noexcept;

}  // namespace answers
}  // namespace skep::supervisor
