#include "wire/client.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/thread.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "wire/channel.h"
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

constexpr std::size_t kGuess = 64, kLicense = 127, kPage = 4096;
constexpr unsigned kMostTries = 32;  // more than there are idle connections
constexpr int kHighest = 1000;       // where descriptors go that the program did not open

struct Prefetch {
  spec::Command command;
  std::size_t address, count;  // offsets in the attribute
  std::size_t bytes;           // of one, or of all when it is a guess
  bool is_guess;
};
constexpr Prefetch kPrefetches[] = {
#define ARRAY(command, address, count, bytes) {command, address, count, bytes, false},
#define GUESS(command, address, bytes) {command, address, 0, bytes, true},
#include "wire/prefetch.def"
#undef GUESS
#undef ARRAY
};

struct DescriptorField {
  int command;
  std::size_t offset;
};
constexpr DescriptorField kDescriptors[] = {
#define ON_DESCRIPTOR(command, offset) {command, offset},
#include "spec/descriptors.def"
#undef ON_DESCRIPTOR
};

bool add(hive::Caller& caller, PieceWriter& to, std::uint64_t address, std::size_t size) noexcept {
  const std::optional<MutableBytes> room = to.add(address, size);
  if (!room) return false;
  if (caller.copy_in(address, *room)) return true;
  to.drop();
  return false;
}

// `size` bytes, or those that are left of the page.
void add_guess(hive::Caller& caller, PieceWriter& to, std::uint64_t address, std::size_t size) noexcept {
  const std::size_t rest = kPage - address % kPage;
  if (!add(caller, to, address, size) && rest < size) add(caller, to, address, rest);
}

void prefetch(hive::Caller& caller, PieceWriter& to, int command, const spec::Attr& attr) noexcept {
  const Bytes bytes = bytes_of(attr);
  for (const Prefetch& row : kPrefetches) {
    if (static_cast<int>(row.command) != command) continue;
    const auto address = load<std::uint64_t>(&bytes[row.address]);
    if (address == 0) continue;
    if (row.is_guess) {
      add_guess(caller, to, address, row.bytes);
    } else if (const auto count = load<std::uint32_t>(&bytes[row.count]); count <= PieceWriter::kMost / row.bytes) {
      add(caller, to, address, count * row.bytes);
    }
  }
}

int descriptor_in(int command, const spec::Attr& attr) noexcept {
  for (const DescriptorField& field : kDescriptors)
    if (field.command == command) return load<int>(&bytes_of(attr)[field.offset]);
  return -1;
}

std::uint32_t rights_of(const hive::Privilege& privilege) noexcept {
  return (privilege.bpf ? 1U : 0) | (privilege.perfmon ? 2U : 0) | (privilege.net_admin ? 4U : 0) |
         (privilege.sys_admin ? 8U : 0);
}

// Of sending: the other end is gone, and has not got it.
bool is_loss(int error) noexcept { return error == -EPIPE || error == -ECONNRESET; }

Identity identity() noexcept {
  Identity self{.pid_tgid = static_cast<std::uint64_t>(::getpid()) << 32 | thread_id(),
                .uid_gid = std::uint64_t{::getgid()} << 32 | ::getuid(),
                .comm = {}};
  ::prctl(PR_GET_NAME, self.comm);
  return self;
}

// One call while its result is awaited.
class Exchange {
 public:
  Exchange(Connection& connection, hive::Caller& caller) noexcept : connection_(connection), caller_(caller) {}

  int ask(int command, std::uint64_t attr, std::uint32_t size) noexcept {
    PieceWriter& pieces = connection_.pieces;
    pieces.clear();
    spec::Attr known{};
    if (size != 0 && size <= spec::kMaxAttrBytes && add(caller_, pieces, attr, size)) {
      const Bytes ours = PieceReader(pieces.bytes()).next()->bytes;
      std::memcpy(&known, ours.data(), std::min(ours.size(), sizeof known));
      prefetch(caller_, pieces, command, known);
    }
    const int number = descriptor_in(command, known);
    const Fd about = number >= 0 ? caller_.descriptor(number) : Fd();
    const Asked asked{.command = command,
                      .attr_bytes = size,
                      .rights = rights_of(caller_.privilege()),
                      .descriptor = about ? number : -1,
                      .who = command == static_cast<int>(spec::Command::ProgTestRun) ? identity() : Identity{}};
    Outgoing out{.address = attr, .payload = bytes_of(asked), .more = pieces.bytes(), .descriptor = about.get()};
    const int error = connection_.channel.send(Kind::Call, out);
    if (error == 0 || is_loss(error) || !about) return error;
    out.descriptor = -1;  // some cannot be passed
    return connection_.channel.send(Kind::Call, out);
  }

  // Answers the host until it is done: the message that says so is in the connection. 0 or a negative errno.
  int finish() noexcept {
    Message& message = connection_.message;
    for (;;) {
      if (const int error = connection_.channel.receive(message); error != 0) return error;
      if (message.kind == Kind::Done) return 0;
      if (const int error = answer(message); error != 0) return error;
    }
  }

  // Writes what the result brought: 0 or -EFAULT.
  int write(Bytes pieces) noexcept {
    PieceReader reader(pieces);
    while (const std::optional<Piece> piece = reader.next())
      if (!caller_.copy_out(piece->address, piece->bytes)) return -EFAULT;
    return reader.malformed() ? -EFAULT : 0;
  }

  // The descriptor that the host gave the caller; -1 when there is none.
  int installed() const noexcept { return installed_; }

 private:
  int reply(std::int64_t value) noexcept { return connection_.channel.send(Kind::Answer, {.value = value}); }

  int answer(Message& message) noexcept {
    Channel& channel = connection_.channel;
    switch (message.kind) {
      case Kind::Read: return answer_read(message.address, message.value);
      case Kind::Write: return reply(write(message.payload));
      case Kind::Descriptor: {
        const Fd copy = caller_.descriptor(static_cast<int>(message.value));
        if (copy && channel.send(Kind::Given, {.descriptor = copy.get()}) == 0) return 0;
        return channel.send(Kind::Given, {.value = -EBADF});  // none, or one that cannot be passed
      }
      case Kind::Install:
        if (!message.descriptor) return -EBADMSG;
        installed_ = caller_.install(std::move(message.descriptor));
        return reply(installed_);
      case Kind::Mapped:
        return reply(caller_.maps_writable(static_cast<std::uint64_t>(message.value), message.address) ? 1 : 0);
      default: return -EBADMSG;
    }
  }

  int answer_read(std::uint64_t address, std::int64_t size) noexcept {
    PieceWriter& pieces = connection_.pieces;
    pieces.clear();
    if (size < 0 || static_cast<std::uint64_t>(size) > PieceWriter::kMost) return -EBADMSG;
    if (!add(caller_, pieces, address, static_cast<std::size_t>(size)))
      return connection_.channel.send(Kind::Memory, {.value = -EFAULT});
    return connection_.channel.send(Kind::Memory, {.payload = PieceReader(pieces.bytes()).next()->bytes});
  }

  Connection& connection_;
  hive::Caller& caller_;
  int installed_ = -1;
};

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

long Client::call(hive::Caller& caller, int command, std::uint64_t attr, std::uint32_t size) noexcept {
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    int error = 0;
    std::unique_ptr<Connection> connection = take(error);
    if (!connection) return error;
    Exchange exchange(*connection, caller);
    error = exchange.ask(command, attr, size);
    if (is_loss(error)) continue;  // nobody got it: an idle connection of a host that has gone
    if (error != 0) return error;
    if (exchange.finish() != 0) {
      // What nobody will tell the program about.
      if (exchange.installed() >= 0) ::close(exchange.installed());
      return -ECONNRESET;
    }
    const long result = connection->message.value;
    const int written = exchange.write(connection->message.payload);
    give_back(std::move(connection));
    return written != 0 ? written : result;
  }
  return -ENOTCONN;
}

long Client::call(int command, void* attr, unsigned size) noexcept {
  hive::LocalCaller caller;
  return call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
}

namespace {

// A question that has no questions back.
Result<> simple(Connection& connection, Kind kind, int descriptor) {
  hive::LocalCaller caller;
  int error = connection.channel.send(kind, {.descriptor = descriptor});
  if (error == 0) error = Exchange(connection, caller).finish();
  if (error != 0) return fail(ECONNRESET, "the host of the hive went away");
  const std::int64_t result = connection.message.value;
  if (result < 0) return fail(static_cast<int>(-result), std::strerror(static_cast<int>(-result)));
  return {};
}

}  // namespace

Result<Fd> Client::wakeup(int fd) noexcept {
  int error = 0;
  std::unique_ptr<Connection> connection = take(error);
  if (!connection) return fail(-error, "no host");
  TRY_VOID(simple(*connection, Kind::Wakeup, fd));
  Fd event = std::move(connection->message.descriptor);
  give_back(std::move(connection));
  if (!event) return fail(EINVAL, "no wake-up came");
  return event;
}

Result<Status> Client::status() noexcept {
  int error = 0;
  std::unique_ptr<Connection> connection = take(error);
  if (!connection) return fail(-error, path_ + ": no hive is there");
  TRY_VOID(simple(*connection, Kind::Status, -1));
  if (connection->message.payload.size() != sizeof(Status)) return fail(EPROTO, "the host's status has another size");
  const auto status = load<Status>(connection->message.payload.data());
  give_back(std::move(connection));
  return status;
}

Result<> Client::stop() noexcept {
  TRY(std::unique_ptr<Connection> connection, connect());
  return simple(*connection, Kind::Stop, -1);
}

}  // namespace skep::wire
