// One call of a client while its result is awaited: asks, and answers what the host asks back. Tested by:
// host/host_test.cc; fuzzed by: fuzz/host_fuzz.cc.
#pragma once

#include <cerrno>
#include <cstdint>

#include "hive/caller.h"
#include "wire/channel.h"

namespace skep::wire {

// Of an error of Channel::send: the other end is gone, and has not got it.
inline bool is_loss(int error) noexcept { return error == -EPIPE || error == -ECONNRESET; }

class Exchange {
 public:
  // `pieces` is scratch memory, `message` what the host said last.
  Exchange(Channel& channel, PieceWriter& pieces, Message& message, hive::Caller& caller) noexcept
      : channel_(channel), pieces_(pieces), message_(message), caller_(caller) {}

  // Sends bpf(command, attr, size): 0 or a negative errno. `who` is this thread if null.
  int ask(int command, std::uint64_t attr, std::uint32_t size, const Identity* who) noexcept;
  // Answers the host until it is done: `message` says so then. 0; -ECONNRESET or -EBADMSG when it never will be.
  int finish() noexcept;
  // Then what the call comes to: writes and installs what the result brought.
  long settle() noexcept;
  // The descriptor that the host gave the caller; -1 when there is none.
  int installed() const noexcept { return installed_; }

 private:
  int reply(std::int64_t value) noexcept { return channel_.send(Kind::Answer, {.value = value}); }
  int write(Bytes pieces) noexcept;
  int answer() noexcept;
  int answer_read(std::uint64_t address, std::int64_t size) noexcept;

  Channel& channel_;
  PieceWriter& pieces_;
  Message& message_;
  hive::Caller& caller_;
  int installed_ = -1;
};

}  // namespace skep::wire
