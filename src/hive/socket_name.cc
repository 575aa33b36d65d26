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

// One conversation with the kernel's diagnosis of sockets.
class Diagnosis {
 public:
  // Asks about one socket, or (NLM_F_DUMP) about many. False: there will be no answer.
  template <class Question>
  bool ask(const Question& question, int flags = 0) noexcept {
    struct {
      nlmsghdr head;
      Question question;
    } message{{.nlmsg_len = sizeof message,
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | flags),
               .nlmsg_seq = 0,
               .nlmsg_pid = 0},
              question};
    return socket_ && ::send(socket_.get(), &message, sizeof message, 0) >= 0;
  }
  // The next message of the answer; null: there is none.
  const nlmsghdr* next() noexcept {
    if (left_ < static_cast<int>(sizeof(nlmsghdr))) {
      left_ = static_cast<int>(::recv(socket_.get(), bytes_, sizeof bytes_, 0));
      at_ = reinterpret_cast<const nlmsghdr*>(bytes_);
    }
    if (left_ <= 0 || !NLMSG_OK(at_, static_cast<unsigned>(left_))) return nullptr;
    const nlmsghdr* const message = at_;
    at_ = NLMSG_NEXT(at_, left_);
    return message;
  }

 private:
  Fd socket_{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
  alignas(nlmsghdr) std::byte bytes_[8192];
  const nlmsghdr* at_ = nullptr;
  int left_ = 0;
};

enum class Found : std::uint8_t { Open, Closed, Unknown };

const inet_diag_msg& inet_answer(const nlmsghdr& message) noexcept {
  return *static_cast<const inet_diag_msg*>(NLMSG_DATA(&message));
}

Found found(const nlmsghdr* message) noexcept {
  if (message == nullptr) return Found::Unknown;
  if (message->nlmsg_type == SOCK_DIAG_BY_FAMILY) return Found::Open;
  if (message->nlmsg_type != NLMSG_ERROR) return Found::Unknown;
  const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(message))->error;
  return error == -ENOENT || error == -ESTALE ? Found::Closed : Found::Unknown;  // none, or one with another cookie
}

// A connection that was closed may be there for a while without a file.
Found find_inet(const SocketName& name) noexcept {
  Diagnosis diagnosis;
  if (!diagnosis.ask(inet_question(name))) return Found::Unknown;
  const nlmsghdr* const message = diagnosis.next();
  const Found said = found(message);
  return said == Found::Open && inet_answer(*message).idiag_inode == 0 ? Found::Closed : said;
}

// Of sockets that share a port the question above finds any one: looks through all that have the port.
bool is_among_those_at_port(const SocketName& name) noexcept {
  Diagnosis diagnosis;
  inet_diag_req_v2 question{};
  question.sdiag_family = static_cast<__u8>(name.family);
  question.sdiag_protocol = static_cast<__u8>(name.protocol);
  question.idiag_states = kAllStates;
  question.id.idiag_sport = end_of(name.local).port;
  if (!diagnosis.ask(question, NLM_F_DUMP)) return true;
  __u32 cookie[2];
  split(name.cookie, cookie);
  while (const nlmsghdr* message = diagnosis.next()) {
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
    const inet_diag_msg& each = inet_answer(*message);
    if (std::memcmp(each.id.idiag_cookie, cookie, sizeof cookie) == 0 && each.idiag_inode != 0) return true;
  }
  return true;
}

Found find_unix(const SocketName& name) noexcept {
  Diagnosis diagnosis;
  return diagnosis.ask(unix_question(name)) ? found(diagnosis.next()) : Found::Unknown;
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

bool is_open(const SocketName& name) noexcept {
  switch (name.family) {
    case AF_INET:
    case AF_INET6: return find_inet(name) != Found::Closed || is_among_those_at_port(name);
    case AF_UNIX: return find_unix(name) != Found::Closed;
    default: return true;
  }
}

}  // namespace skep::hive
