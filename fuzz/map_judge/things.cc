#include "map_judge/things.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "isa/insn.h"
#include "spec/info.h"
#include "spec/map_spec.h"
#include "spec/types.h"

namespace skep::map_judge {
namespace {

using enum Thing;
using spec::MapType, spec::ProgType, spec::Command;

constexpr int kClosedFd = 99999;
constexpr const char* kCgroups[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

struct Row {
  ThingClass what;
  std::string_view text;
};
constexpr Row kRows[] = {
#define THING(Name, class, text) {ThingClass::class, text},
#include "map_judge/things.def"
#undef THING
};
const Row& row(Thing thing) noexcept { return kRows[static_cast<std::size_t>(thing)]; }

std::vector<Thing> all_of(ThingClass what) {
  std::vector<Thing> found;
  for (std::size_t i = 0; i < kThings; ++i)
    if (kRows[i].what == what) found.push_back(static_cast<Thing>(i));
  return found;
}

Thing pick(ThingClass likely, std::uint32_t number) noexcept {
  static const auto by_class = [] {
    std::array<std::vector<Thing>, 8> all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = all_of(static_cast<ThingClass>(i));
    return all;
  }();
  const auto& things = by_class[static_cast<std::size_t>(likely)];
  if (likely == ThingClass::Event || number % 10 != 9) return things[number / 10 % things.size()];
  return static_cast<Thing>(number / 10 % kThings);
}

struct MapRow {
  Thing thing;
  MapType type;
  std::uint32_t value, entries, flags;
};
constexpr MapRow kMaps[] = {{ArrayA, MapType::Array, 8, 4, 0},
                            {ArrayB, MapType::Array, 8, 4, 0},
                            {ArrayLong, MapType::Array, 8, 5, 0},
                            {ArrayAnySize, MapType::Array, 8, 4, spec::kInnerMap},
                            {ArrayOtherSize, MapType::Array, 8, 9, spec::kInnerMap},
                            {HashA, MapType::Hash, 8, 4, 0},
                            {HashB, MapType::Hash, 8, 4, 0},
                            {HashLong, MapType::Hash, 8, 9, 0},
                            {Lru, MapType::LruHash, 8, 4, 0},
                            {Outer, MapType::ArrayOfMaps, 4, 4, 0},
                            {Programs, MapType::ProgArray, 4, 4, 0}};

struct ProgRow {
  Thing thing;
  ProgType type;
  std::uint32_t attach;
  std::uint32_t flags;
};
constexpr std::uint32_t kXdpHasFrags = 1U << 5;
constexpr ProgRow kProgs[] = {{FilterA, ProgType::SocketFilter, 0, 0},
                              {FilterB, ProgType::SocketFilter, 0, 0},
                              {Xdp, ProgType::Xdp, std::to_underlying(spec::AttachType::Xdp), 0},
                              {XdpFrags, ProgType::Xdp, std::to_underlying(spec::AttachType::Xdp), kXdpHasFrags},
                              {XdpDevmap, ProgType::Xdp, std::to_underlying(spec::AttachType::XdpDevmap), 0},
                              {XdpCpumap, ProgType::Xdp, std::to_underlying(spec::AttachType::XdpCpumap), 0}};

template <class T>
std::uint64_t address(T* of) noexcept {
  return reinterpret_cast<std::uintptr_t>(of);
}

long make_map(const Bpf& bpf, const MapRow& row, int inner) {
  spec::Attr attr{};
  attr.map_create.map_type = std::to_underlying(row.type);
  attr.map_create.key_size = 4;
  attr.map_create.value_size = row.value;
  attr.map_create.max_entries = row.entries;
  attr.map_create.map_flags = row.flags;
  attr.map_create.inner_map_fd = static_cast<std::uint32_t>(inner);
  return bpf(Command::MapCreate, attr);
}

long load_prog(const Bpf& bpf, const ProgRow& row) {
  constexpr std::uint64_t kReturn0[] = {0xb7, 0x95};  // r0 = 0; exit
  spec::Attr attr{};
  attr.prog_load.prog_type = std::to_underlying(row.type);
  attr.prog_load.insns = address(kReturn0);
  attr.prog_load.insn_cnt = 2;
  attr.prog_load.license = address("GPL");
  attr.prog_load.expected_attach_type = row.attach;
  attr.prog_load.prog_flags = row.flags;
  return bpf(Command::ProgLoad, attr);
}

Fd made(long fd) { return Fd(static_cast<int>(fd)); }
Fd socket_of(int family, int type, int protocol = 0) {
  return made(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

sockaddr_in loopback(in_port_t port = 0) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = port;
  return to;
}
const sockaddr* plain(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

Fd bound(int type, bool shares) {
  Fd made = socket_of(AF_INET, type);
  const int on = shares ? 1 : 0;
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in at = loopback();
  (void)::bind(made.get(), plain(at), sizeof at);
  return made;
}
Fd listening(bool shares) {
  Fd made = bound(SOCK_STREAM, shares);
  (void)::listen(made.get(), 4);
  return made;
}
Fd connected_to(int server, int type) {
  sockaddr_in to{};
  socklen_t size = sizeof to;
  ::getsockname(server, reinterpret_cast<sockaddr*>(&to), &size);
  Fd made = socket_of(AF_INET, type);
  (void)::connect(made.get(), plain(to), sizeof to);
  return made;
}

Fd pidfd_of(int pid) { return made(::syscall(SYS_pidfd_open, pid, 0)); }

Fd perf_event() {
  perf_event_attr attr{};
  attr.size = sizeof attr;
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_BPF_OUTPUT;
  attr.sample_type = PERF_SAMPLE_RAW;
  return made(::syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
}

}  // namespace

std::string_view name(Thing thing) noexcept { return row(thing).text; }

Thing thing_in_value(const maps::Kind& kind, std::uint32_t number) noexcept {
  if (kind.has(maps::kOuter)) return pick(ThingClass::Map, number);
  if (kind.type == MapType::PerfEventArray) return pick(ThingClass::Event, number);
  if (kind.type == MapType::CgroupArray) return pick(ThingClass::Cgroup, number);
  return pick(kind.family == maps::Family::Socket ? ThingClass::Socket : ThingClass::Prog, number);
}

Thing thing_in_key(const maps::Kind& kind, std::uint32_t number) noexcept {
  switch (kind.type) {
    case MapType::TaskStorage: return pick(ThingClass::Task, number);
    case MapType::SkStorage: return pick(ThingClass::Socket, number);
    case MapType::CgrpStorage: return pick(ThingClass::Cgroup, number);
    default: break;
  }
  // Linux has all its maps and programs on one inode, a hive's are files of their own.
  const Thing thing = pick(ThingClass::File, number);
  const bool is_object = row(thing).what == ThingClass::Map || row(thing).what == ThingClass::Prog;
  return is_object ? Null : thing;
}

Thing template_of(std::uint32_t number) noexcept { return pick(ThingClass::Map, number); }

SharedThings::SharedThings() {
  at(Null) = made(::open("/dev/null", O_RDWR | O_CLOEXEC));
  at(RootFolder) = made(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  at(Event) = perf_event();
  at(EventB) = perf_event();
  at(File) = made(::memfd_create("map_judge", MFD_CLOEXEC));
  at(FileB) = made(::memfd_create("map_judge", MFD_CLOEXEC));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) == 0) {
    at(Pipe) = Fd(ends[0]);
    ::close(ends[1]);
  }
  make_tasks();
  make_cgroups();
  renew_sockets();
}

SharedThings::~SharedThings() {
  if (!cgroup_.empty()) {
    ::rmdir((cgroup_ + "/inside").c_str());
    ::rmdir(cgroup_.c_str());
  }
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

void SharedThings::make_tasks() {
  at(PidSelf) = pidfd_of(::getpid());
  const auto child = [](bool stays) {
    const int pid = ::fork();
    if (pid != 0) return pid;
    while (stays) ::pause();
    ::_exit(0);
  };
  child_ = child(true);
  at(PidChild) = pidfd_of(child_);
  const int dead = child(false);
  at(PidDead) = pidfd_of(dead);
  ::waitpid(dead, nullptr, 0);
}

void SharedThings::make_cgroups() {
  at(CgroupFirst) = made(::open("/sys/fs/cgroup/memory", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  static std::atomic<unsigned> count{0};
  for (const char* root : kCgroups) {
    const std::string outside = fmt::format("{}/map-judge-{}-{}", root, ::getpid(), ++count);
    const std::string inside = outside + "/inside";
    if (::access(fmt::format("{}/cgroup.procs", root).c_str(), F_OK) != 0) continue;
    at(CgroupFile) = made(::open(fmt::format("{}/cgroup.procs", root).c_str(), O_RDONLY | O_CLOEXEC));
    if (::mkdir(outside.c_str(), 0755) != 0) continue;
    (void)::mkdir(inside.c_str(), 0755);
    at(Cgroup) = made(::open(outside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    at(CgroupInside) = made(::open(inside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    cgroup_ = outside;
    const std::string gone = outside + "/gone";
    (void)::mkdir(gone.c_str(), 0755);
    at(CgroupGone) = made(::open(gone.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ::rmdir(gone.c_str());
    return;
  }
}

void SharedThings::renew_sockets() {
  at(TcpListening) = listening(false);
  at(TcpShared) = listening(true);
  at(TcpConnected) = connected_to(at(TcpListening).get(), SOCK_STREAM);
  at(TcpAccepted) = made(::accept4(at(TcpListening).get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  at(TcpFresh) = socket_of(AF_INET, SOCK_STREAM);
  at(TcpBound) = bound(SOCK_STREAM, false);
  at(Tcp6Fresh) = socket_of(AF_INET6, SOCK_STREAM);
  at(UdpFresh) = socket_of(AF_INET, SOCK_DGRAM);
  at(UdpBound) = bound(SOCK_DGRAM, false);
  at(UdpShared) = bound(SOCK_DGRAM, true);
  at(UdpConnected) = connected_to(at(UdpBound).get(), SOCK_DGRAM);
  int ends[2];
  const auto pair = [&](Thing thing, int type) {
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) return;
    at(thing) = Fd(ends[0]);
    ::close(ends[1]);
  };
  pair(UnixConnected, SOCK_STREAM);
  pair(UnixDgram, SOCK_DGRAM);
  at(UnixFresh) = socket_of(AF_UNIX, SOCK_STREAM);
  at(UnixDgramFresh) = socket_of(AF_UNIX, SOCK_DGRAM);
  at(Netlink) = socket_of(AF_NETLINK, SOCK_RAW);
  at(Raw) = socket_of(AF_INET, SOCK_RAW, IPPROTO_UDP);
  at(Xsk) = socket_of(AF_XDP, SOCK_RAW);
  at(Packet) = socket_of(AF_PACKET, SOCK_RAW);
}

std::optional<Thing> SharedThings::by_cookie(std::uint64_t cookie) const noexcept {
  for (std::size_t i = 0; i < kThings; ++i) {
    std::uint64_t has = 0;
    socklen_t size = sizeof has;
    if (kRows[i].what != ThingClass::Socket || !fds_[i]) continue;
    if (::getsockopt(fds_[i].get(), SOL_SOCKET, SO_COOKIE, &has, &size) == 0 && has == cookie)
      return static_cast<Thing>(i);
  }
  return std::nullopt;
}

Things::Things(const Bpf& bpf, const SharedThings& shared) : shared_(shared) {
  for (const MapRow& row : kMaps) keep(bpf, row.thing, make_map(bpf, row, fd(ArrayA)));
  for (const ProgRow& row : kProgs) keep(bpf, row.thing, load_prog(bpf, row));
}

void Things::keep(const Bpf& bpf, Thing thing, long fd) {
  Own& own = own_[static_cast<std::size_t>(thing)];
  own.fd = made(fd);
  const auto id_of = [&](auto info) {
    spec::Attr attr{};
    attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
    attr.info.info = address(&info);
    attr.info.info_len = sizeof info;
    return bpf(Command::ObjGetInfoByFd, attr) == 0 ? info.id : 0;
  };
  own.id = row(thing).what == ThingClass::Map ? id_of(spec::MapInfo{}) : id_of(spec::ProgInfo{});
}

int Things::fd(Thing thing) const noexcept {
  if (const Fd& own = own_[static_cast<std::size_t>(thing)].fd) return own.get();
  const int fd = shared_.fd(thing);
  return fd < 0 ? kClosedFd : fd;
}

std::optional<Thing> Things::by_id(ThingClass what, std::uint32_t id) const noexcept {
  for (std::size_t i = 0; i < kThings; ++i)
    if (kRows[i].what == what && own_[i].id == id && id != 0) return static_cast<Thing>(i);
  return std::nullopt;
}

}  // namespace skep::map_judge
