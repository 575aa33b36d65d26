// For tests: seats of names of their own, and hosts in processes of their own.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "host/host.h"
#include "wire/client.h"
#include "wire/place.h"

namespace skep::host::testing {

// A place in a folder that nobody else uses.
class TestSeat {
 public:
  TestSeat() : seat_(*wire::Seat::take(next_name())) {}
  ~TestSeat() {
    if (seat_.listener() < 0) seat_ = *wire::Seat::take(seat_.name());  // what the host left
    seat_.leave();
  }
  void hand_over() { seat_.hand_over(); }
  const std::string& name() const { return seat_.name(); }
  const std::string& path() const { return seat_.path(); }
  int listener() const { return seat_.listener(); }

 private:
  static std::string next_name() {
    static std::atomic<unsigned> count{0};
    return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  }
  wire::Seat seat_;
};

// A host that is a child of this process.
class HostProcess {
 public:
  explicit HostProcess(hive::Options options = {}) {
    process_ = ::fork();
    if (process_ != 0) {
      seat_.hand_over();
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto host = Host::create(std::move(options));
    if (host) (*host)->run(seat_.listener());
    ::_exit(host ? 0 : 1);
  }
  ~HostProcess() { kill(); }
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    wait();
  }
  // Its exit code, negative: the signal.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(process_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  const TestSeat& seat() const { return seat_; }
  pid_t process() const { return process_; }

 private:
  TestSeat seat_;
  pid_t process_ = -1;
};

}  // namespace skep::host::testing
