#include "wire/channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "base/raw_syscall.h"

namespace skep::wire {
namespace {

struct Row {
  Side from;
  std::size_t bytes;
  unsigned descriptors;
};
constexpr Row kRows[] = {
#define MESSAGE(Name, from, bytes, descriptors) {Side::from, bytes, descriptors},
#include "wire/messages.def"
#undef MESSAGE
};

// Room for one descriptor; those that do not fit the kernel closes itself.
union Control {
  cmsghdr head;
  char room[CMSG_SPACE(sizeof(int))];
};

iovec part_of(Bytes bytes) noexcept { return {const_cast<std::byte*>(bytes.data()), bytes.size()}; }

// By the instruction: libc's functions are points where a thread may be cancelled, and ours must not end half-way.
long transfer(long number, int socket, msghdr* message, int flags) noexcept {
  long result = 0;
  do result = raw_syscall(number, socket, static_cast<long>(reinterpret_cast<std::uintptr_t>(message)), flags);
  while (result == -EINTR);
  return result;
}

// The descriptor that came along; invalid when there is none.
Fd taken(msghdr& message) noexcept {
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
      head->cmsg_len != CMSG_LEN(sizeof(int)))
    return Fd();
  return Fd(load<int>(CMSG_DATA(head)));
}

}  // namespace

std::int64_t pid_namespace() noexcept {
  struct stat status{};
  return ::stat("/proc/self/ns/pid", &status) == 0 ? static_cast<std::int64_t>(status.st_ino) : 0;
}

int Channel::send(Kind kind, const Outgoing& out) noexcept {
  Head head{.kind = kind,
            .bytes = static_cast<std::uint32_t>(out.payload.size() + out.more.size()),
            .address = out.address,
            .value = out.value};
  iovec parts[] = {{&head, sizeof head}, part_of(out.payload), part_of(out.more)};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = std::size(parts);
  Control control{};
  if (out.descriptor >= 0) {
    message.msg_control = &control;
    message.msg_controllen = sizeof control.room;
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(sizeof(int));
    store(CMSG_DATA(&control.head), out.descriptor);
  }
  const long sent = transfer(SYS_sendmsg, socket_.get(), &message, MSG_NOSIGNAL);
  return sent < 0 ? static_cast<int>(sent) : 0;
}

int Channel::receive(Message& to) noexcept {
  iovec part{buffer_.data(), buffer_.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  Control control{};
  message.msg_control = &control;
  message.msg_controllen = sizeof control.room;
  const long got = transfer(SYS_recvmsg, socket_.get(), &message, MSG_CMSG_CLOEXEC);
  if (got <= 0) return -ECONNRESET;
  Fd descriptor = taken(message);
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || static_cast<std::size_t>(got) < sizeof(Head))
    return -EBADMSG;
  const auto head = load<Head>(buffer_.data());
  const auto number = static_cast<std::uint32_t>(head.kind);
  if (number >= std::size(kRows) || head.bytes != static_cast<std::size_t>(got) - sizeof(Head)) return -EBADMSG;
  const Row& row = kRows[number];
  if (row.from == us_ || head.bytes > row.bytes || (descriptor && row.descriptors == 0)) return -EBADMSG;
  to.kind = head.kind;
  to.address = head.address;
  to.value = head.value;
  to.payload = Bytes(buffer_).subspan(sizeof(Head), head.bytes);
  to.descriptor = std::move(descriptor);
  return 0;
}

bool Channel::is_closed() const noexcept {
  pollfd look{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
  return ::poll(&look, 1, 0) != 0;
}

namespace {

struct PieceHead {
  std::uint64_t address;
  std::uint64_t bytes;
};

}  // namespace

std::optional<MutableBytes> PieceWriter::add(std::uint64_t address, std::size_t size) noexcept {
  const std::size_t room = buffer_.size() - end_;
  if (room < sizeof(PieceHead) || size > room - sizeof(PieceHead)) return std::nullopt;
  const PieceHead head{address, size};
  std::memcpy(buffer_.data() + end_, &head, sizeof head);
  last_ = end_;
  end_ += sizeof head + size;
  return MutableBytes(buffer_).subspan(last_ + sizeof head, size);
}

std::optional<Piece> PieceReader::next() noexcept {
  if (rest_.size() < sizeof(PieceHead)) return std::nullopt;
  const auto head = load<PieceHead>(rest_.data());
  if (head.bytes > rest_.size() - sizeof head) return std::nullopt;
  const Piece piece{head.address, rest_.subspan(sizeof head, head.bytes)};
  rest_ = rest_.subspan(sizeof head + head.bytes);
  return piece;
}

}  // namespace skep::wire
