// The client's end: bpf(2) of a hive whose host is another process.
//
// Lookups in maps, and what else harms nobody, are done here on the map's own memory (wire/local_maps.h). For all else
// call() sends the attribute, what the hive will surely read (wire/prefetch.def) and the descriptor the command is
// about, and answers the host's questions about this process (memory, descriptors) until the result comes: the same
// results, errno numbers and effects as hive::Hive::call here. Besides those of bpf(2) a call may fail with
//   -ENOTCONN    no host is there (any more)
//   -ECONNRESET  it went away during the call, which may have taken effect or not
//   -EUSERS      it has as many connections as it takes
// Nothing waits for a host that is dead.
//
// Threads: any. Each call has a connection of its own while it lasts; idle ones are kept. After a fork (or a raw clone)
// the child makes its own: a connection remembers its process. Programs close descriptors that are not theirs: one
// is used only while its socket still is the one that was connected. No lock is held anywhere, so a signal handler may
// call too. Cost: some microseconds, two context switches; each question of the host's as much again. Tested by:
// host/host_test.cc, tests/host.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "hive/caller.h"
#include "hive/listed_map.h"
#include "hive/perf_output.h"
#include "hive/wakeup.h"
#include "wire/local_maps.h"
#include "wire/status.h"

namespace skep::wire {

class Connection;
struct Identity;
struct Outgoing;
enum class Kind : std::uint32_t;

class Client {
 public:
  // Of the host that listens at `path`, now or later; connects when it is needed.
  explicit Client(std::string path) noexcept : path_(std::move(path)) {}
  // Of the hive with this name: ENOTCONN when its host is not there.
  static Result<std::unique_ptr<Client>> join(std::string_view name);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // bpf(command, attr, size), with attr in the caller's memory: a value or a negative errno. `caller` is asked about
  // memory, descriptors and rights; `who` is what programs that the call runs are told of it, this thread if null.
  long call(hive::Caller& caller, int command, std::uint64_t attr, std::uint32_t size,
            const Identity* who = nullptr) noexcept;
  long call(int command, void* attr, unsigned size) noexcept;

  // What ring buffer or perf event `fd` of the hive wakes its readers with: an eventfd that is new to this process, its
  // owner's.
  struct Woken {
    Fd event;
    hive::Wakeup wakeup;
  };
  Result<Woken> wakeup(int fd) noexcept;
  // A perf event of the hive.
  Result<Fd> open_perf_output(const hive::PerfOutputSpec& spec) noexcept;
  Result<Status> status() noexcept;
  // All maps of the hive, some hundred in a message.
  Result<std::vector<hive::ListedMap>> maps() noexcept;
  // For LocalMaps: a map's memory and what it is, as Done brings it; and the memory of the hive's domain.
  struct Shared {
    SharedMap what;
    Fd memory;
  };
  Result<Shared> share(int map) noexcept;
  Result<Fd> domain() noexcept;
  // Ends the host; what programs have open they keep.
  Result<> stop() noexcept;

 private:
  std::unique_ptr<Connection> take(int& error) noexcept;
  void give_back(std::unique_ptr<Connection> connection) noexcept;
  Result<std::unique_ptr<Connection>> connect() noexcept;

  Result<std::unique_ptr<Connection>> ask(Kind kind, const Outgoing& out) noexcept;

  const std::string path_;
  std::array<std::atomic<Connection*>, 16> idle_{};
  LocalMaps maps_{*this};
};

}  // namespace skep::wire
