// The host of a hive: a process that holds one, for all the processes that share it.
//
// Clients (wire/client.h) connect to a socket; each connection has a thread here (host/session.h), as many as
// kMostClients, and kMostOfProcess of one process, so that no process takes all. Only processes of the same user are
// answered. A hive that somebody named ends when it is told to; one that `skep exec` made for a command and its
// children when that command has ended, nobody is connected any more, no process has it in its environment and no
// object of it is open anywhere. docs/design/host.md. Tested by: host/host_test.cc, tests/host.
#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "hive/hive.h"
#include "host/session.h"
#include "runtime/system_host.h"
#include "wire/place.h"

namespace skep::host {

inline constexpr unsigned kMostClients = 1024;   // connections; more are told EUSERS
inline constexpr unsigned kMostOfProcess = 256;  // of them of one process

class Host final : public Service {
 public:
  // With `options.host` set by the host itself: what programs learn of their surroundings is the client's.
  static Result<std::unique_ptr<Host>> create(hive::Options options);
  ~Host() override;

  // The command whose hive this is: its descriptor (pidfd_open), and the path of the socket that SKEP_HIVE says to it
  // and its children.
  struct Command {
    int process;
    std::string path;
  };
  // Answers those who connect to `listener`, until stop() or, with a command, until nobody is left.
  void run(int listener, const Command* command = nullptr) noexcept;

  hive::Hive& hive() noexcept override { return *hive_; }
  wire::Status status() noexcept override;
  void stop() noexcept override;
  std::uint64_t identity() const noexcept override { return identity_; }

 private:
  // The surroundings of runs: those of the client whose command runs the program.
  class Surroundings final : public runtime::SystemHost {
   public:
    std::uint64_t pid_tgid() noexcept override;
    std::uint64_t uid_gid() noexcept override;
    void comm(char (&name)[16]) noexcept override;
  };
  struct Client {
    std::unique_ptr<Session> session;
    std::thread thread;
    pid_t process = 0;
    std::atomic<bool> is_gone{false};
  };

  explicit Host(std::unique_ptr<Surroundings> surroundings, Fd bell);
  void accept_one(int listener) noexcept;
  void ring() noexcept;
  bool has_room(pid_t process) noexcept;
  void admit(Fd socket, pid_t process) noexcept;
  void reap() noexcept;
  bool is_forgotten(const Command& command) noexcept;
  std::uint32_t count(int next_id_command) noexcept;

  std::unique_ptr<Surroundings> surroundings_;  // outlives the hive
  std::unique_ptr<hive::Hive> hive_;
  const Fd bell_;  // an eventfd: something to look at
  const std::uint64_t started_;
  const std::uint64_t identity_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // guards what follows
  std::list<Client> clients_;
  std::map<pid_t, unsigned> per_process_;
};

}  // namespace skep::host
