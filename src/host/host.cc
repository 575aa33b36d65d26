#include "host/host.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/descriptor_limit.h"
#include "base/user.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::host {
namespace {

// How often a command's hive whose command has ended looks whether anybody is left. Nobody tells of a last close.
constexpr int kLookMilliseconds = 500;

std::uint64_t seconds_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec);
}

std::uint64_t random_number() noexcept {
  std::uint64_t number = 0;
  [[maybe_unused]] const ssize_t got = ::getrandom(&number, sizeof number, 0);
  return number | 1;
}

std::uint64_t resident_bytes() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"), std::fclose);
  unsigned long long pages = 0;
  if (!file || std::fscanf(file.get(), "%*u %llu", &pages) != 1) return 0;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// The process at the other end, if it is of this user; 0 if not.
pid_t peer_of(int socket) noexcept {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
  return peer.uid == effective_user() ? peer.pid : 0;
}

// Whether a process of this user was started with `entry` in its environment, or is a fork of one that was.
bool is_in_an_environment(const std::string& entry) {
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    if (!std::isdigit(static_cast<unsigned char>(at->path().filename().c_str()[0]))) continue;
    std::ifstream file(at->path() / "environ", std::ios::binary);
    for (std::string one; std::getline(file, one, '\0');)
      if (one == entry) return true;
  }
  return false;
}

bool is_readable(int fd) noexcept {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) > 0;
}

}  // namespace

std::uint64_t Host::Surroundings::pid_tgid() noexcept {
  const wire::Identity* client = current_client();
  return client != nullptr ? client->pid_tgid : SystemHost::pid_tgid();
}
std::uint64_t Host::Surroundings::uid_gid() noexcept {
  const wire::Identity* client = current_client();
  return client != nullptr ? client->uid_gid : SystemHost::uid_gid();
}
void Host::Surroundings::comm(char (&name)[16]) noexcept {
  const wire::Identity* client = current_client();
  if (client == nullptr) return SystemHost::comm(name);
  std::memcpy(name, client->comm, sizeof name);
  name[sizeof name - 1] = '\0';
}

Host::Host(std::unique_ptr<Surroundings> surroundings, Fd bell)
    : surroundings_(std::move(surroundings)),
      bell_(std::move(bell)),
      started_(seconds_now()),
      identity_(random_number()) {}

Result<std::unique_ptr<Host>> Host::create(hive::Options options) {
  Fd bell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!bell) return fail(errno, "no eventfd for the host");
  std::unique_ptr<Host> host(new Host(std::make_unique<Surroundings>(), std::move(bell)));
  options.host = host->surroundings_.get();
  TRY(host->hive_, hive::Hive::create(std::move(options)));
  raise_descriptor_limit();  // objects and connections are descriptors
  return host;
}

Host::~Host() {
  stop();
  std::list<Client> last;
  {
    const std::scoped_lock lock(mutex_);
    last.swap(clients_);
  }
  for (Client& client : last) ::shutdown(client.session->socket(), SHUT_RDWR);
  for (Client& client : last) client.thread.join();
}

void Host::stop() noexcept {
  stopping_ = true;
  ring();
}

void Host::ring() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t rung = ::write(bell_.get(), &one, sizeof one);
}

void Host::run(int listener, const Command* command) noexcept {
  enum { Listener, Bell, Process };
  pollfd polls[] = {
      {listener, POLLIN, 0}, {bell_.get(), POLLIN, 0}, {command != nullptr ? command->process : -1, POLLIN, 0}};
  bool command_ended = false;
  while (!stopping_) {
    if (::poll(polls, std::size(polls), command_ended ? kLookMilliseconds : -1) < 0 && errno != EINTR) return;
    std::uint64_t rings = 0;
    if (polls[Bell].revents != 0) [[maybe_unused]]
      const ssize_t heard = ::read(bell_.get(), &rings, sizeof rings);
    reap();
    if (polls[Listener].revents != 0) accept_one(listener);
    if (polls[Process].revents != 0) {
      command_ended = true;
      polls[Process].fd = -1;
    }
    if (command_ended && !is_readable(listener) && is_forgotten(*command)) return;
  }
}

void Host::accept_one(int listener) noexcept {
  Fd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) {
    if (errno != EMFILE && errno != ENFILE) return;
    const ReservedDescriptors to_look_with;
    static_cast<void>(status());  // looks at all objects: those that are closed give their descriptors back
    ::usleep(10'000);             // it stays in the queue: do not spin
    return;
  }
  const pid_t process = peer_of(socket.get());
  if (process == 0) return;
  if (has_room(process)) return admit(std::move(socket), process);
  wire::Channel channel{std::move(socket), wire::Side::Host};
  channel.send(wire::Kind::Hello, {.address = wire::kMagic, .value = -EUSERS});
}

bool Host::has_room(pid_t process) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto own = per_process_.find(process);
  return clients_.size() < kMostClients && (own == per_process_.end() || own->second < kMostOfProcess);
}

// A session with a thread of its own; where no thread can be had, the connection ends.
void Host::admit(Fd socket, pid_t process) noexcept {
  const std::scoped_lock lock(mutex_);
  Client& client = clients_.emplace_back();
  client.session = std::make_unique<Session>(std::move(socket), *this);
  client.process = process;
  try {
    client.thread = std::thread([this, &client] {
      client.session->serve();
      // The other end is to see the end now, and not when this one is reaped.
      ::shutdown(client.session->socket(), SHUT_RDWR);
      client.is_gone = true;
      ring();
    });
    ++per_process_[process];
  } catch (const std::system_error&) {
    clients_.pop_back();
  }
}

void Host::reap() noexcept {
  std::list<Client> gone;
  {
    const std::scoped_lock lock(mutex_);
    for (auto at = clients_.begin(); at != clients_.end();) {
      const auto next = std::next(at);
      if (at->is_gone) {
        if (--per_process_[at->process] == 0) per_process_.erase(at->process);
        gone.splice(gone.end(), clients_, at);
      }
      at = next;
    }
  }
  for (Client& client : gone) client.thread.join();
}

// Whether nobody is connected, nobody will be, and no object is open anywhere.
bool Host::is_forgotten(const Command& command) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (!clients_.empty()) return false;
  }
  if (is_in_an_environment(std::string(wire::kHiveVariable) + "=" + command.path)) return false;
  const wire::Status now = status();
  return now.maps + now.programs + now.btfs + now.links == 0;
}

std::uint32_t Host::count(int next_id_command) noexcept {
  hive::LocalCaller caller;
  spec::Attr attr{};
  std::uint32_t found = 0;
  while (hive_->call(caller, next_id_command, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr.id) == 0) {
    ++found;
    attr.id.start_id = attr.id.next_id;
    attr.id.next_id = 0;
  }
  return found;
}

wire::Status Host::status() noexcept {
  wire::Status now{.pid = static_cast<std::uint32_t>(::getpid()),
                   .maps = count(static_cast<int>(spec::Command::MapGetNextId)),
                   .programs = count(static_cast<int>(spec::Command::ProgGetNextId)),
                   .btfs = count(static_cast<int>(spec::Command::BtfGetNextId)),
                   .links = count(static_cast<int>(spec::Command::LinkGetNextId)),
                   .memory_bytes = resident_bytes(),
                   .calls = calls.load(std::memory_order_relaxed),
                   .seconds = seconds_now() - started_};
  const std::scoped_lock lock(mutex_);
  now.clients =
      static_cast<std::uint32_t>(std::ranges::count_if(clients_, [](const Client& client) { return !client.is_gone; }));
  return now;
}

}  // namespace skep::host
