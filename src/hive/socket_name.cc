#include "hive/socket_name.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/fd.h"
#include "hive/descriptor.h"

namespace skep::hive {
namespace {

constexpr std::uint32_t kAllStates = ~std::uint32_t{0};

template <class T>
T option(int fd, int which) noexcept {
  T value{};
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, which, &value, &size) == 0 ? value : T{};
}

struct End {
  __be16 port = 0;
  __be32 address[4] = {};
};
End end_of(const sockaddr_storage& address) noexcept {
  End end;
  if (address.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(address);
    end.port = in.sin_port;
    end.address[0] = in.sin_addr.s_addr;
  } else if (address.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(address);
    end.port = in6.sin6_port;
    std::memcpy(end.address, &in6.sin6_addr, sizeof end.address);
  }
  return end;
}

void split(std::uint64_t cookie, __u32 (&words)[2]) noexcept {
  words[0] = static_cast<__u32>(cookie);
  words[1] = static_cast<__u32>(cookie >> 32);
}

// For UDP the diagnosis takes the ends the other way round.
inet_diag_req_v2 inet_question(const SocketName& name) noexcept {
  const bool swapped = name.protocol == IPPROTO_UDP;
  const End from = end_of(swapped ? name.remote : name.local), to = end_of(swapped ? name.local : name.remote);
  inet_diag_req_v2 ask{};
  ask.sdiag_family = static_cast<__u8>(name.family);
  ask.sdiag_protocol = static_cast<__u8>(name.protocol);
  ask.idiag_states = kAllStates;
  ask.id.idiag_sport = from.port;
  ask.id.idiag_dport = to.port;
  std::memcpy(ask.id.idiag_src, from.address, sizeof from.address);
  std::memcpy(ask.id.idiag_dst, to.address, sizeof to.address);
  split(name.cookie, ask.id.idiag_cookie);
  return ask;
}

unix_diag_req unix_question(const SocketName& name) noexcept {
  unix_diag_req ask{};
  ask.sdiag_family = AF_UNIX;
  ask.udiag_states = kAllStates;
  ask.udiag_ino = static_cast<__u32>(name.inode);
  split(name.cookie, ask.udiag_cookie);
  return ask;
}

struct Reply {
  nlmsghdr head;
  std::byte body[4096];
};

// Asks about one socket. False: there was no answer.
template <class Question>
bool answer_to(const Question& question, Reply& reply) noexcept {
  const Fd diagnosis(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  struct {
    nlmsghdr head;
    Question question;
  } ask{{.nlmsg_len = sizeof ask,
         .nlmsg_type = SOCK_DIAG_BY_FAMILY,
         .nlmsg_flags = NLM_F_REQUEST,
         .nlmsg_seq = 0,
         .nlmsg_pid = 0},
        question};
  if (!diagnosis || ::send(diagnosis.get(), &ask, sizeof ask, 0) < 0) return false;
  const ssize_t got = ::recv(diagnosis.get(), &reply, sizeof reply, 0);
  return got >= static_cast<ssize_t>(sizeof reply.head);
}

bool says_gone(const Reply& reply) noexcept {
  return reply.head.nlmsg_type == NLMSG_ERROR && load<int>(reply.body) == -ENOENT;
}

}  // namespace

SocketName name_of(int fd) noexcept {
  SocketName name;
  if (from_socket(fd)) return name;  // a program's or the like
  name.family = option<int>(fd, SO_DOMAIN);
  name.type = option<int>(fd, SO_TYPE);
  name.protocol = option<int>(fd, SO_PROTOCOL);
  name.cookie = option<std::uint64_t>(fd, SO_COOKIE);
  socklen_t size = sizeof name.local;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name.local), &size);
  size = sizeof name.remote;
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&name.remote), &size);
  struct stat status{};
  if (::fstat(fd, &status) == 0) name.inode = status.st_ino;
  return name;
}

// A connection that was closed may be there for a while without a file.
bool is_open(const SocketName& name) noexcept {
  Reply reply{};
  switch (name.family) {
    case AF_INET:
    case AF_INET6:
      if (!answer_to(inet_question(name), reply)) return true;
      if (reply.head.nlmsg_type == SOCK_DIAG_BY_FAMILY) return load<inet_diag_msg>(reply.body).idiag_inode != 0;
      return !says_gone(reply);
    case AF_UNIX: return !answer_to(unix_question(name), reply) || !says_gone(reply);
    default: return true;
  }
}

}  // namespace skep::hive
