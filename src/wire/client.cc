#include "wire/client.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "wire/channel.h"
#include "wire/exchange.h"
#include "wire/place.h"

namespace skep::wire {

// A connection of this process.
class Connection {
 public:
  explicit Connection(Fd socket) noexcept
      : channel(std::move(socket), Side::Client), process_(::getpid()), cookie_(cookie_of(channel.socket())) {}
  ~Connection() {
    // The number may belong to something else of the program's by now.
    if (!intact()) [[maybe_unused]]
      const int not_ours = channel.take_socket().release();
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Whether its descriptor still is the socket that was connected.
  bool intact() const noexcept { return cookie_ != 0 && cookie_of(channel.socket()) == cookie_; }
  bool usable() const noexcept { return process_ == ::getpid() && intact(); }

  Channel channel;
  PieceWriter pieces;
  Message message;

 private:
  static std::uint64_t cookie_of(int socket) noexcept {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    return ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
  }

  const pid_t process_;
  const std::uint64_t cookie_;
};

namespace {

constexpr unsigned kMostTries = 32;  // more than there are idle connections
constexpr int kHighest = 1000;       // where descriptors go that the program did not open

// Out of the way of programs, whose descriptors are the lowest that are free.
Fd raised(Fd socket) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return socket;
  const int least = static_cast<int>(std::min<rlim_t>(limit.rlim_cur / 2, kHighest));
  Fd high(::fcntl(socket.get(), F_DUPFD_CLOEXEC, least));
  return high ? std::move(high) : std::move(socket);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::join(std::string_view name) {
  TRY(std::string path, socket_path(name));
  auto client = std::make_unique<Client>(std::move(path));
  TRY(std::unique_ptr<Connection> first, client->connect());
  client->give_back(std::move(first));
  return client;
}

Client::~Client() {
  for (std::atomic<Connection*>& slot : idle_) delete slot.load();
}

Result<std::unique_ptr<Connection>> Client::connect() noexcept {
  TRY(Fd socket, connect_to(path_));
  std::unique_ptr<Connection> made(new (std::nothrow) Connection(raised(std::move(socket))));
  if (!made) return fail(ENOMEM, "no memory for a connection");
  Message& hello = made->message;
  if (const int error = made->channel.receive(hello); error != 0)
    return fail(ENOTCONN, path_ + ": the host of this hive says nothing");
  if (hello.kind != Kind::Hello || hello.address != kMagic)
    return fail(EPROTO, path_ + ": the host of this hive is of another version of skep; start it again");
  if (hello.value != 0)
    return fail(static_cast<int>(-hello.value), path_ + ": this hive has as many clients as it takes");
  return made;
}

std::unique_ptr<Connection> Client::take(int& error) noexcept {
  for (std::atomic<Connection*>& slot : idle_) {
    if (slot.load(std::memory_order_relaxed) == nullptr) continue;
    std::unique_ptr<Connection> idle(slot.exchange(nullptr));
    if (idle && idle->usable()) return idle;  // else it was the parent's, or somebody closed it
  }
  Result<std::unique_ptr<Connection>> made = connect();
  if (made) return *std::move(made);
  error = -made.error().code;
  return nullptr;
}

void Client::give_back(std::unique_ptr<Connection> connection) noexcept {
  for (std::atomic<Connection*>& slot : idle_) {
    Connection* nobody = nullptr;
    if (!slot.compare_exchange_strong(nobody, connection.get())) continue;
    [[maybe_unused]] const Connection* kept = connection.release();
    return;
  }
}

long Client::call(hive::Caller& caller, int command, std::uint64_t attr, std::uint32_t size,
                  const Identity* who) noexcept {
  if (const std::optional<long> done = maps_.run(caller, command, attr, size)) return *done;
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    int error = 0;
    std::unique_ptr<Connection> connection = take(error);
    if (!connection) return error;
    Exchange exchange(connection->channel, connection->pieces, connection->message, caller);
    error = exchange.ask(command, attr, size, who);
    if (is_loss(error)) continue;  // nobody got it: an idle connection of a host that has gone
    if (error != 0) return error;
    if (exchange.finish() != 0) {
      if (exchange.installed() >= 0) caller.take_back(exchange.installed());
      return -ECONNRESET;
    }
    const long result = exchange.settle();
    give_back(std::move(connection));
    return result;
  }
  return -ENOTCONN;
}

long Client::call(int command, void* attr, unsigned size) noexcept {
  hive::LocalCaller caller;
  return call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
}

// A question that has no questions back: the connection, with the answer in it.
Result<std::unique_ptr<Connection>> Client::ask(Kind kind, const Outgoing& out) noexcept {
  int error = 0;
  std::unique_ptr<Connection> connection = take(error);
  if (!connection) return fail(-error, path_ + ": no hive is there");
  hive::LocalCaller caller;
  error = connection->channel.send(kind, out);
  if (error == 0) error = Exchange(connection->channel, connection->pieces, connection->message, caller).finish();
  if (error != 0) return fail(ECONNRESET, path_ + ": the host of this hive went away");
  const std::int64_t result = connection->message.value;
  if (result >= 0) return connection;
  give_back(std::move(connection));
  return fail(static_cast<int>(-result), std::strerror(static_cast<int>(-result)));
}

Result<Client::Woken> Client::wakeup(int fd) noexcept {
  TRY(std::unique_ptr<Connection> connection, ask(Kind::Wakeup, {.descriptor = fd}));
  Message& answer = connection->message;
  Woken woken{.event = std::move(answer.descriptor),
              .wakeup = {.waits_for = static_cast<hive::WaitsFor>(answer.value), .bytes = answer.address}};
  woken.wakeup.event = woken.event.get();
  give_back(std::move(connection));
  if (!woken.event || woken.wakeup.waits_for > hive::WaitsFor::Event) return fail(EPROTO, "no wake-up came");
  return woken;
}

Result<Fd> Client::open_perf_output(const hive::PerfOutputSpec& spec) noexcept {
  TRY(std::unique_ptr<Connection> connection, ask(Kind::PerfOutput, {.payload = bytes_of(spec)}));
  Fd event = std::move(connection->message.descriptor);
  give_back(std::move(connection));
  if (!event) return fail(EPROTO, "no perf event came");
  return event;
}

Result<Status> Client::status() noexcept {
  TRY(std::unique_ptr<Connection> connection, ask(Kind::Status, {}));
  if (connection->message.payload.size() != sizeof(Status)) return fail(EPROTO, "the host's status has another size");
  const auto status = load<Status>(connection->message.payload.data());
  give_back(std::move(connection));
  return status;
}

Result<std::vector<hive::ListedMap>> Client::maps() noexcept {
  std::vector<hive::ListedMap> found;
  for (;;) {
    const std::uint64_t last = found.empty() ? 0 : found.back().info.id;
    TRY(std::unique_ptr<Connection> connection, ask(Kind::Maps, {.address = last}));
    const Bytes part = connection->message.payload;
    for (std::size_t at = 0; at + sizeof(hive::ListedMap) <= part.size(); at += sizeof(hive::ListedMap))
      found.push_back(load<hive::ListedMap>(&part[at]));
    const bool goes_on = !found.empty() && found.back().info.id > last;
    give_back(std::move(connection));
    if (!goes_on) return found;
  }
}

Result<Client::Shared> Client::share(int map) noexcept {
  TRY(std::unique_ptr<Connection> connection, ask(Kind::Share, {.descriptor = map}));
  Message& answer = connection->message;
  if (answer.payload.size() != sizeof(SharedMap) || !answer.descriptor) return fail(EPROTO, "no map came");
  Shared shared{.what = load<SharedMap>(answer.payload.data()), .memory = std::move(answer.descriptor)};
  give_back(std::move(connection));
  return shared;
}

Result<Fd> Client::domain() noexcept {
  TRY(std::unique_ptr<Connection> connection, ask(Kind::Domain, {.value = pid_namespace()}));
  Fd memory = std::move(connection->message.descriptor);
  give_back(std::move(connection));
  if (!memory) return fail(EPROTO, "no domain came");
  return raised(std::move(memory));
}

Result<> Client::stop() noexcept {
  TRY(const std::unique_ptr<Connection> connection, ask(Kind::Stop, {}));
  return {};
}

}  // namespace skep::wire
