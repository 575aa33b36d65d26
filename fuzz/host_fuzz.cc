// The protocol between the clients and the host of a hive, both sides: what the other one says comes from a fuzzer.
// links: skep_host
//
// Neither may crash, hang, or touch memory that is not the client's to give.
//
// An input is a byte that says who is under test, then messages: {kind, payload bytes, value, address} and the payload.
// They lie in the socket before the side under test begins, which answers into the void and ends when they are used up.
// A kind of 0x80 and more brings a descriptor. Addresses with the mark lie in a scratch memory.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz_input.h"
#include "hive/hive.h"
#include "host/session.h"
#include "spec/attr.h"
#include "wire/channel.h"
#include "wire/client.h"
#include "wire/exchange.h"

namespace {

using namespace skep;
using fuzz::Input;
using wire::Channel;
using wire::Head;
using wire::Kind;
using wire::Side;

constexpr std::size_t kMostMessages = 16;
constexpr std::size_t kMostPayload = 4096;

struct Record {
  std::uint8_t kind;
  std::uint8_t command;  // of a Call
  std::uint16_t bytes;
  std::uint32_t value;
};

// A process with nothing but a page of memory, whose descriptors are all /dev/null.
class Page final : public hive::Caller {
 public:
  static constexpr std::uint64_t kAddress = 0x10000;
  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override {
    const std::byte* from = at(address, to.size());
    if (from != nullptr && !to.empty()) std::memcpy(to.data(), from, to.size());
    return from != nullptr;
  }
  bool copy_out(std::uint64_t address, Bytes from) noexcept override {
    std::byte* to = at(address, from.size());
    if (to != nullptr && !from.empty()) std::memcpy(to, from.data(), from.size());
    return to != nullptr;
  }
  Fd descriptor(int fd) noexcept override { return fd < 0 ? Fd() : Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)); }
  int install(Fd) noexcept override { return -EMFILE; }
  int close(int) noexcept override { return -EBADF; }
  hive::Privilege privilege() const noexcept override { return {}; }
  bool maps_writable(std::uint64_t, std::uint64_t) noexcept override { return false; }
  std::uint64_t mapped_at(std::uint64_t, std::uint64_t) noexcept override { return 0; }

 private:
  std::byte* at(std::uint64_t address, std::size_t size) {
    const std::uint64_t offset = address - kAddress;
    return offset <= memory_.size() && size <= memory_.size() - offset ? memory_.data() + offset : nullptr;
  }
  std::vector<std::byte> memory_ = std::vector<std::byte>(kMostPayload);
};

// What the fuzzer says, into `socket`.
void talk(int socket, Input& input) {
  const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (std::size_t n = 0; n < kMostMessages && !input.empty(); ++n) {
    const auto record = input.take<Record>();
    Bytes payload = input.take(record.bytes % kMostPayload);
    const auto kind = static_cast<Kind>(record.kind & 0x7f);
    Head head{.kind = kind,
              .bytes = static_cast<std::uint32_t>(payload.size()),
              .address = Page::kAddress + record.value % kMostPayload,
              .value = static_cast<std::int32_t>(record.value)};
    if (kind == Kind::Stop) continue;
    wire::Asked asked{};
    if (kind == Kind::Call) {  // a shape that gets somewhere
      asked = {.command = record.command % 40,
               .attr_bytes = static_cast<std::uint32_t>(record.value % (sizeof(spec::Attr) + 1)),
               .rights = 15,
               .descriptor = 5,
               .who = {}};
      head.bytes += sizeof asked;
    }
    iovec parts[] = {{&head, sizeof head},
                     {&asked, kind == Kind::Call ? sizeof asked : 0},
                     {const_cast<std::byte*>(payload.data()), payload.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 3;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if ((record.kind & 0x80) != 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      store(CMSG_DATA(rights), null.get());
    }
    ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ::shutdown(socket, SHUT_WR);
}

class TestService final : public host::Service {
 public:
  explicit TestService(hive::Hive& hive) : hive_(hive) {}
  hive::Hive& hive() noexcept override { return hive_; }
  wire::Status status() noexcept override { return {}; }
  void stop() noexcept override {}
  std::uint64_t identity() const noexcept override { return 1; }

 private:
  hive::Hive& hive_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(std::as_bytes(std::span(data, size)));
  const bool host_is_tested = (input.take<std::uint8_t>() & 1) == 0;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return 0;
  const Fd fuzzer(pair[0]);
  Fd tested(pair[1]);
  // Answers are not read: what does not fit is an error, and not a wait.
  ::fcntl(tested.get(), F_SETFL, O_NONBLOCK);
  talk(fuzzer.get(), input);
  if (host_is_tested) {
    auto hive = hive::Hive::create({.engine = hive::Engine::Checked, .budget = 2000});
    if (!hive) return 0;
    TestService service(**hive);
    host::Session(std::move(tested), service).serve();
  } else {
    Page page;
    const auto channel = std::make_unique<Channel>(std::move(tested), Side::Client);
    const auto pieces = std::make_unique<wire::PieceWriter>();
    wire::Message message;
    wire::Exchange exchange(*channel, *pieces, message, page);
    if (exchange.ask(1, Page::kAddress, sizeof(spec::Attr), nullptr) == 0 && exchange.finish() == 0)
      static_cast<void>(exchange.settle());
  }
  return 0;
}
