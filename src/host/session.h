// One client's connection at the host: takes its requests and answers them, one after the other, until it goes away or
// says something that no client says.
//
// Nothing that a client does or leaves undone reaches further than its own session: the hive holds no lock while it
// waits for a client, and a session that ends in the middle of a command ends as if every address were bad.
// Threads: one. Tested by: host/host_test.cc, fuzz/host_fuzz.cc.
#pragma once

#include <atomic>
#include <memory>

#include "hive/hive.h"
#include "wire/channel.h"
#include "wire/status.h"

namespace skep::host {

// What sessions ask of the host they belong to.
class Service {
 public:
  virtual ~Service() = default;
  virtual hive::Hive& hive() noexcept = 0;
  virtual wire::Status status() noexcept = 0;
  virtual void stop() noexcept = 0;
  virtual std::uint64_t identity() const noexcept = 0;  // a random number, never 0
  std::atomic<std::uint64_t> calls{0};
};

class Session {
 public:
  Session(Fd socket, Service& service) : service_(service), channel_(std::move(socket), wire::Side::Host) {}

  // Until the client is gone.
  void serve() noexcept;
  int socket() const noexcept { return channel_.socket(); }

 private:
  bool answer(wire::Message& request) noexcept;
  bool call(wire::Message& request) noexcept;
  bool wake_up(Fd ring) noexcept;
  bool open_perf_output(Bytes spec) noexcept;
  bool list_maps(std::uint64_t after) noexcept;
  bool share(Fd map) noexcept;
  bool give_domain(std::int64_t pid_namespace) noexcept;
  bool refuse(int error) noexcept;

  Service& service_;
  wire::Channel channel_;
  wire::PieceWriter writes_;
  std::array<std::byte, wire::kMostBytes> request_;  // the payload of the one that is being answered
};

// Who the program is run for that this thread runs: null when it runs none for a client.
const wire::Identity* current_client() noexcept;

}  // namespace skep::host
