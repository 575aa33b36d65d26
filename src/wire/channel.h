// One connection between a client and the host of a hive: messages, one datagram of a SOCK_SEQPACKET socket each.
//
// A message is a Head and up to kMostBytes of payload, with at most one descriptor (SCM_RIGHTS). What kinds there are,
// who sends them and how large they may be is one table, wire/messages.def; receive() takes nothing else, so neither
// side ever sees a message that is longer, shorter or carries more than its row says. Payloads that are "pieces" are
// parts of the client's memory: {address, bytes} and the bytes.
//
// Threads: one at a time. No allocation after construction. Tested by: host/host_test.cc, fuzz/host_fuzz.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/fd.h"
#include "hive/perf_output.h"

namespace skep::wire {

inline constexpr std::size_t kMostBytes = std::size_t{1} << 16;
inline constexpr std::size_t kMostPath = 4096;
inline constexpr std::uint64_t kMagic = 0x736b6570'00000004;  // "skep" and the version of this protocol

enum class Side : std::uint8_t { Client, Host };

// Which pid namespace this process is in: thread ids mean the same to all that are in one. 0: not known.
std::int64_t pid_namespace() noexcept;

// Who calls, as programs that are run for him see it.
struct Identity {
  std::uint64_t pid_tgid;
  std::uint64_t uid_gid;
  char comm[16];
  std::uint32_t cpu;  // that it runs on; kAnyCpu where nobody knows
  std::uint32_t reserved;
  static constexpr std::uint32_t kAnyCpu = UINT32_MAX;
};

// What the payload of a Call begins with; pieces follow.
struct Asked {
  std::int32_t command;
  std::uint32_t attr_bytes;
  std::uint32_t rights;     // hive::Privilege, a bit each
  std::int32_t descriptor;  // the number, for the client, of the descriptor that comes along
  Identity who;             // where the command runs a program, else zeros
};

enum class Kind : std::uint32_t {
#define MESSAGE(Name, from, bytes, descriptors) Name,
#include "wire/messages.def"
#undef MESSAGE
};

struct Head {
  Kind kind;
  std::uint32_t bytes;  // of payload
  std::uint64_t address;
  std::int64_t value;
};

struct Message {
  Kind kind = Kind::Hello;
  std::uint64_t address = 0;
  std::int64_t value = 0;
  Bytes payload;  // received: valid until the next receive()
  Fd descriptor;
};

// What goes out: two parts of payload, the second behind the first, and a descriptor that stays the caller's.
struct Outgoing {
  std::uint64_t address = 0;
  std::int64_t value = 0;
  Bytes payload = {}, more = {};
  int descriptor = -1;
};

class Channel {
 public:
  Channel(Fd socket, Side us) noexcept : socket_(std::move(socket)), us_(us) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int socket() const noexcept { return socket_.get(); }
  Fd take_socket() noexcept { return std::move(socket_); }

  // 0 or a negative errno.
  int send(Kind kind, const Outgoing& out = {}) noexcept;
  // The next message of the other side: 0; -ECONNRESET when there is no other side any more; -EBADMSG for anything that
  // is not in the table. After an error the connection is of no use.
  int receive(Message& to) noexcept;
  // Whether the other side has closed it: a look, without waiting.
  bool is_closed() const noexcept;

 private:
  Fd socket_;
  Side us_;
  alignas(8) std::array<std::byte, sizeof(Head) + kMostBytes> buffer_;
};

// Parts of the client's memory, one behind the other.
class PieceWriter {
 public:
  // A piece of `size` bytes at `address`: where its bytes go; nothing when there is no room left.
  std::optional<MutableBytes> add(std::uint64_t address, std::size_t size) noexcept;
  // Takes the last one back.
  void drop() noexcept { end_ = last_; }
  void clear() noexcept { end_ = last_ = 0; }
  bool empty() const noexcept { return end_ == 0; }
  Bytes bytes() const noexcept { return Bytes(buffer_).first(end_); }
  static constexpr std::size_t kMost = kMostBytes - sizeof(Asked) - 16;  // of one piece that is alone

 private:
  std::size_t end_ = 0, last_ = 0;
  alignas(8) std::array<std::byte, kMostBytes - sizeof(Asked)> buffer_;
};

struct Piece {
  std::uint64_t address = 0;
  Bytes bytes;
};
class PieceReader {
 public:
  explicit PieceReader(Bytes pieces) noexcept : rest_(pieces) {}
  // Nothing at the end, or where the rest is no piece.
  std::optional<Piece> next() noexcept;
  bool malformed() const noexcept { return !rest_.empty(); }  // once next() gave nothing

 private:
  Bytes rest_;
};

}  // namespace skep::wire
