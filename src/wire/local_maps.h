// Element commands in the client's own process, on the memory that it shares with the host: no message, memory speed.
//
// The host is asked once per map what it is and for its memory (and once for the hive's domain, so that per-CPU values
// and locks mean the same on both sides). That mapping keeps no map alive: it goes through the host's own description
// of the file, which the question "is anyone left?" does not count, and when the map goes the host frees the memory
// under it. Which map a descriptor is, and what it allows, says its file position, each time (hive/descriptor.h).
//
// A client that is killed half-way leaves the map whole (docs/maps.md). Not local: maps whose values are other objects
// or that users mmap, changes of values that hold more than data and a lock, batches, attributes of unusual sizes, a
// client in another pid namespace than the host (locks hold thread ids), more than kMost maps with all of them in use.
// These go to the host.
//
// Threads: any; no lock. Entries are found and entered by atomics, and all are dropped together, when the table is full
// and nobody is inside. After a fork both sides go on with what was mapped. Cost: two system calls (the position, and a
// copy where the caller's memory is not its stack) above the map's own work. Tested by: src/hive's tests (hosted),
// host/host_test.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hive/caller.h"
#include "hive/elements.h"
#include "maps/domain.h"
#include "spec/attr.h"
#include "wire/status.h"

namespace skep::wire {

class Client;

class LocalMaps {
 public:
  explicit LocalMaps(Client& client) noexcept : client_(client) {}
  ~LocalMaps();
  LocalMaps(const LocalMaps&) = delete;
  LocalMaps& operator=(const LocalMaps&) = delete;

  // The result of a command that was done here; nothing when it is for the host.
  std::optional<long> run(hive::Caller& caller, int command, std::uint64_t attr, std::uint32_t size) noexcept;

 private:
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kProbes = 8;

  struct Entry {
    std::uint64_t key = 0;           // which map of which hive
    std::unique_ptr<maps::Map> map;  // null: for the host
    std::vector<btf::SpecialField> fields;
  };

  const Entry* find(std::uint64_t key, hive::Caller& caller, int fd) noexcept;
  const Entry* look_up(std::uint64_t key) const noexcept;
  const Entry* enter(std::unique_ptr<Entry> entry) noexcept;
  bool drop_all() noexcept;
  maps::Domain* domain(std::uint64_t hive) noexcept;

  Client& client_;
  std::array<std::atomic<Entry*>, kMost> entries_{};
  std::atomic<unsigned> inside_{0};
  std::atomic<bool> dropping_{false};
  std::atomic<maps::Domain*> domain_{nullptr};
  std::atomic<std::uint64_t> hive_{0};  // whose domain it is
};

}  // namespace skep::wire
