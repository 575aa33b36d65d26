// Attaching a hive's program to a socket or an event of the machine's, whose kernel cannot run it: EOPNOTSUPP, once
// what the kernel asks has been answered. Descriptors that are none of a hive's programs are the kernel's to judge.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

#include "hive/descriptor.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/types.h"
#include "supervisor/answers.h"

namespace skep::supervisor::answers {
namespace {

// The type of the caller's program; nothing where `fd` is none of a hive's.
std::optional<spec::ProgType> type_of(Call& call, int fd) noexcept {
  const Fd program = call.caller->descriptor(fd);
  const std::optional<hive::Identity> identity = program ? hive::from_socket(program.get()) : std::nullopt;
  if (!identity || identity->kind != hive::Kind::Prog) return std::nullopt;
  std::uint32_t type = 0;  // what the information begins with
  spec::Attr attr{};
  attr.info.bpf_fd = static_cast<std::uint32_t>(program.get());
  attr.info.info_len = sizeof type;
  attr.info.info = reinterpret_cast<std::uintptr_t>(&type);
  const auto command = static_cast<int>(spec::Command::ObjGetInfoByFd);
  if (call.reach.client.call(command, &attr, sizeof(attr.info)) != 0) return std::nullopt;
  return spec::ProgType{type};
}

bool is_socket(Waiting& caller, int fd) noexcept {
  const Fd copy = caller.descriptor(fd);
  int type = 0;
  socklen_t size = sizeof type;
  return copy && ::getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

Answer refuse(spec::ProgType type, std::initializer_list<spec::ProgType> fitting) noexcept {
  return std::ranges::find(fitting, type) != fitting.end() ? -EOPNOTSUPP : -EINVAL;
}

}  // namespace

Answer attach_to_socket(Call& call) noexcept {
  using enum spec::ProgType;
  Waiting& caller = *call.caller;
  const std::optional<int> fd = read<int>(caller, caller.argument(3));
  if (caller.word(1) != SOL_SOCKET || caller.word(4) != sizeof *fd || !fd || !is_socket(caller, caller.word(0)))
    return Answer::How::PassOn;
  const std::optional<spec::ProgType> type = type_of(call, *fd);
  if (!type) return Answer::How::PassOn;
  return caller.word(2) == SO_ATTACH_BPF ? refuse(*type, {SocketFilter}) : refuse(*type, {SocketFilter, SkReuseport});
}

Answer attach_to_event(Call& call, bool is_hives) noexcept {
  using enum spec::ProgType;
  const int fd = call.caller->word(2);
  const std::optional<spec::ProgType> type = type_of(call, fd);
  if (type) return is_hives ? refuse(*type, {PerfEvent}) : refuse(*type, {PerfEvent, Kprobe, Tracepoint});
  if (!is_hives) return Answer::How::PassOn;
  return call.caller->descriptor(fd) ? -EINVAL : -EBADF;
}

}  // namespace skep::supervisor::answers
