#include "wire/exchange.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "base/cpus.h"
#include "base/thread.h"
#include "base/user.h"
#include "spec/attr.h"
#include "spec/commands.h"

namespace skep::wire {
namespace {

constexpr std::size_t kGuess = 64, kLicense = 127, kPage = 4096;

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

Identity identity() noexcept {
  Identity self{.pid_tgid = static_cast<std::uint64_t>(::getpid()) << 32 | thread_id(),
                .uid_gid = std::uint64_t{real_group()} << 32 | real_user(),
                .comm = {},
                .cpu = current_cpu(Identity::kAnyCpu),
                .reserved = 0};
  ::prctl(PR_GET_NAME, self.comm);
  return self;
}

}  // namespace

int Exchange::ask(int command, std::uint64_t attr, std::uint32_t size, const Identity* who) noexcept {
  pieces_.clear();
  spec::Attr known{};
  if (size != 0 && size <= spec::kMaxAttrBytes && add(caller_, pieces_, attr, size)) {
    const Bytes ours = PieceReader(pieces_.bytes()).next()->bytes;
    std::memcpy(&known, ours.data(), std::min(ours.size(), sizeof known));
    prefetch(caller_, pieces_, command, known);
  }
  const int number = descriptor_in(command, known);
  const Fd about = number >= 0 ? caller_.descriptor(number) : Fd();
  const bool runs = command == static_cast<int>(spec::Command::ProgTestRun);
  const Asked asked{.command = command,
                    .attr_bytes = size,
                    .rights = rights_of(caller_.privilege()),
                    .descriptor = about ? number : -1,
                    .who = !runs            ? Identity{}
                           : who != nullptr ? *who
                                            : identity()};
  Outgoing out{.address = attr, .payload = bytes_of(asked), .more = pieces_.bytes(), .descriptor = about.get()};
  const int error = channel_.send(Kind::Call, out);
  if (error == 0 || is_loss(error) || !about) return error;
  out.descriptor = -1;  // some cannot be passed
  return channel_.send(Kind::Call, out);
}

int Exchange::finish() noexcept {
  for (;;) {
    if (const int error = channel_.receive(message_); error != 0) return error;
    if (message_.kind == Kind::Done) return 0;
    if (const int error = answer(); error != 0) return error;
  }
}

long Exchange::settle() noexcept {
  Fd given = std::move(message_.descriptor);
  if (const int error = write(message_.payload); error != 0) return error;
  return given && message_.value >= 0 ? caller_.install(std::move(given)) : message_.value;
}

int Exchange::write(Bytes pieces) noexcept {
  PieceReader reader(pieces);
  while (const std::optional<Piece> piece = reader.next())
    if (!caller_.copy_out(piece->address, piece->bytes)) return -EFAULT;
  return reader.malformed() ? -EFAULT : 0;
}

int Exchange::answer() noexcept {
  switch (message_.kind) {
    case Kind::Read: return answer_read(message_.address, message_.value);
    case Kind::Write: return reply(write(message_.payload));
    case Kind::Descriptor: {
      const Fd copy = caller_.descriptor(static_cast<int>(message_.value));
      if (copy && channel_.send(Kind::Given, {.descriptor = copy.get()}) == 0) return 0;
      return channel_.send(Kind::Given, {.value = -EBADF});  // none, or one that cannot be passed
    }
    case Kind::Open: {
      const auto* text = reinterpret_cast<const char*>(message_.payload.data());
      const std::string path(text, message_.payload.size());
      const Result<Fd> opened =
          caller_.open_path(static_cast<int>(message_.value), path, static_cast<int>(message_.address));
      return channel_.send(Kind::Given,
                           opened ? Outgoing{.descriptor = opened->get()} : Outgoing{.value = -opened.error().code});
    }
    case Kind::Install:
      if (!message_.descriptor) return -EBADMSG;
      installed_ = caller_.install(std::move(message_.descriptor));
      return reply(installed_);
    case Kind::Close: return reply(caller_.close(static_cast<int>(message_.value)));
    case Kind::Mapped:
      return reply(caller_.maps_writable(static_cast<std::uint64_t>(message_.value), message_.address) ? 1 : 0);
    case Kind::MappedAt:
      return reply(
          static_cast<std::int64_t>(caller_.mapped_at(static_cast<std::uint64_t>(message_.value), message_.address)));
    default: return -EBADMSG;
  }
}

int Exchange::answer_read(std::uint64_t address, std::int64_t size) noexcept {
  pieces_.clear();
  if (size < 0 || static_cast<std::uint64_t>(size) > PieceWriter::kMost) return -EBADMSG;
  if (!add(caller_, pieces_, address, static_cast<std::size_t>(size)))
    return channel_.send(Kind::Memory, {.value = -EFAULT});
  return channel_.send(Kind::Memory, {.payload = PieceReader(pieces_.bytes()).next()->bytes});
}

}  // namespace skep::wire
