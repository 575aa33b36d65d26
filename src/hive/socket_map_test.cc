// Sockets in maps: which are taken, and that they leave when they are closed. Against the kernel.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/errno.h"
#include "hive/testing.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

sockaddr_in loopback() {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

int bound(int type, bool shares = false) {
  const int made = ::socket(AF_INET, type, 0);
  const int on = shares ? 1 : 0;
  ::setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in at = loopback();
  EXPECT_EQ(::bind(made, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  return made;
}
int listening(bool shares = false) {
  const int made = bound(SOCK_STREAM, shares);
  EXPECT_EQ(::listen(made, 4), 0);
  return made;
}
int connected(int server) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  ::getsockname(server, reinterpret_cast<sockaddr*>(&at), &size);
  const int made = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(::connect(made, reinterpret_cast<const sockaddr*>(&at), size), 0);
  return made;
}
std::uint64_t cookie(int socket) {
  std::uint64_t value = 0;
  socklen_t size = sizeof value;
  ::getsockopt(socket, SOL_SOCKET, SO_COOKIE, &value, &size);
  return value;
}

long map_of(Bpf& bpf, Fds& fds, MapType type) { return fds.keep(create_map(bpf, {.type = type})); }
long put(Bpf& bpf, long map, std::uint32_t key, int socket, std::uint64_t flags = 0) {
  return update(bpf, map, key, static_cast<std::uint64_t>(socket), flags);
}

TEST(SocketMap, ShowsCookies) {
  for (const MapType type : {MapType::Sockmap, MapType::Sockhash})
    judge({{"the cookie", 1, [type](Bpf& b, Fds& f) -> long {
              const long map = map_of(b, f, type);
              const int socket = static_cast<int>(f.keep(listening()));
              EXPECT_EQ(put(b, map, 1, socket), 0);
              return lookup<std::uint64_t>(b, map, std::uint32_t{1}) == cookie(socket) ? 1 : 0;
            }}});
}

// Closed sockets leave a map, whoever made them and whatever state a connection stays in.
TEST(SocketMap, ClosedSocketsLeave) {
  const auto leaves = [](MapType type, auto make, const char* what) {
    judge({{what, 0, [=](Bpf& b, Fds& f) -> long {
              const long map = map_of(b, f, type);
              const int socket = make(f);
              EXPECT_EQ(put(b, map, 2, socket), 0) << what;
              EXPECT_TRUE(lookup<std::uint64_t>(b, map, std::uint32_t{2})) << what;
              ::close(socket);
              return lookup<std::uint64_t>(b, map, std::uint32_t{2}) ? 1 : 0;
            }}});
  };
  const auto connection = [](Fds& f) { return connected(static_cast<int>(f.keep(listening()))); };
  const auto pair = [](Fds& f) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    f.keep(ends[1]);
    return ends[0];
  };
  for (const MapType type : {MapType::Sockmap, MapType::Sockhash}) {
    leaves(type, [](Fds&) { return listening(); }, "a listener");
    leaves(type, connection, "a connection");
    leaves(type, [](Fds&) { return bound(SOCK_DGRAM); }, "a udp socket");
    leaves(type, pair, "a unix socket");
  }
  leaves(MapType::ReuseportSockarray, [](Fds&) { return listening(true); }, "a listener that shares its port");
}

TEST(SocketMap, AMapKeepsNoSocketOpen) {
  HiveBpf hive;
  Fds fds;
  const long map = map_of(hive, fds, MapType::Sockmap);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_EQ(put(hive, map, 0, ends[0]), 0);
  ::close(ends[0]);
  char byte;
  EXPECT_EQ(::read(ends[1], &byte, 1), 0) << "the peer sees the end";
  ::close(ends[1]);
}

TEST(SocketMap, ASharedSocketIsInOneArray) {
  judge({{"in another one", -EBUSY,
          [](Bpf& b, Fds& f) -> long {
            const int socket = static_cast<int>(f.keep(listening(true)));
            EXPECT_EQ(put(b, map_of(b, f, MapType::ReuseportSockarray), 0, socket), 0);
            return put(b, map_of(b, f, MapType::ReuseportSockarray), 0, socket);
          }},
         {"after it was taken out", 0,
          [](Bpf& b, Fds& f) -> long {
            const int socket = static_cast<int>(f.keep(listening(true)));
            const long map = map_of(b, f, MapType::ReuseportSockarray);
            EXPECT_EQ(put(b, map, 0, socket), 0);
            EXPECT_EQ(erase(b, map, std::uint32_t{0}), 0);
            return put(b, map_of(b, f, MapType::ReuseportSockarray), 3, socket);
          }},
         {"that does not share its port", -EINVAL, [](Bpf& b, Fds& f) {
            return put(b, map_of(b, f, MapType::ReuseportSockarray), 0, static_cast<int>(f.keep(listening())));
          }}});
}

// Which of them a lookup by address finds is chance.
TEST(SocketMap, SocketsThatShareAPortAreToldApart) {
  judge({{"the three that are open", 0b1011, [](Bpf& b, Fds& f) -> long {
            const long map = map_of(b, f, MapType::ReuseportSockarray);
            int sockets[4] = {bound(SOCK_DGRAM, true)};
            sockaddr_in at{};
            socklen_t size = sizeof at;
            ::getsockname(sockets[0], reinterpret_cast<sockaddr*>(&at), &size);
            for (int i = 1; i < 4; ++i) {
              sockets[i] = ::socket(AF_INET, SOCK_DGRAM, 0);
              const int on = 1;
              ::setsockopt(sockets[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
              EXPECT_EQ(::bind(sockets[i], reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
            }
            for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(put(b, map, i, sockets[i]), 0);
            ::close(sockets[2]);
            long open = 0;
            for (std::uint32_t i = 0; i < 4; ++i)
              if (lookup<std::uint64_t>(b, map, i)) open |= 1L << i;
            for (const int i : {0, 1, 3}) ::close(sockets[i]);
            return open;
          }}});
}

TEST(SocketMap, WalksOfAHashSkipClosedSockets) {
  judge({{"two of three", 2, [](Bpf& b, Fds& f) -> long {
            const long map = map_of(b, f, MapType::Sockhash);
            const int closed = listening();
            EXPECT_EQ(put(b, map, 10, static_cast<int>(f.keep(listening()))), 0);
            EXPECT_EQ(put(b, map, 11, closed), 0);
            EXPECT_EQ(put(b, map, 12, static_cast<int>(f.keep(listening()))), 0);
            ::close(closed);
            long count = 0;
            std::uint32_t key = 0;
            spec::Attr attr = elem_attr(map, nullptr, &key);
            for (; b(Command::MapGetNextKey, attr) == 0; attr.elem.key = address(&key)) ++count;
            return count;
          }}});
}

}  // namespace
}  // namespace skep::hive::testing
