#include "host/remote_caller.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skep::host {

using wire::Kind;
using wire::PieceWriter;

bool RemoteCaller::ask(Kind question, const wire::Outgoing& out, Kind expected) noexcept {
  if (broken_) return false;
  broken_ = channel_.send(question, out) != 0 || channel_.receive(reply_) != 0 || reply_.kind != expected;
  return !broken_;
}

// What was written so far, before anything is asked that may depend on it.
bool RemoteCaller::flush() noexcept {
  if (!writes_.empty()) {
    if (!ask(Kind::Write, {.payload = writes_.bytes()}, Kind::Answer) || reply_.value != 0) bad_write_ = true;
    writes_.clear();
  }
  return !bad_write_;
}

bool RemoteCaller::read_prefetched(std::uint64_t address, MutableBytes to) const noexcept {
  wire::PieceReader reader(pieces_);
  while (const std::optional<wire::Piece> piece = reader.next()) {
    const std::uint64_t offset = address - piece->address;
    if (offset > piece->bytes.size() || to.size() > piece->bytes.size() - offset) continue;
    if (!to.empty()) std::memcpy(to.data(), piece->bytes.data() + offset, to.size());
    return true;
  }
  return false;
}

bool RemoteCaller::overlaps_prefetched(std::uint64_t address, std::size_t size) const noexcept {
  wire::PieceReader reader(pieces_);
  while (const std::optional<wire::Piece> piece = reader.next())
    if (address - piece->address < piece->bytes.size() || piece->address - address < size) return true;
  return false;
}

bool RemoteCaller::read_remote(std::uint64_t address, MutableBytes to) noexcept {
  while (!to.empty()) {
    const std::size_t size = std::min(to.size(), PieceWriter::kMost);
    const bool asked = ask(Kind::Read, {.address = address, .value = static_cast<std::int64_t>(size)}, Kind::Memory);
    if (!asked || reply_.value != 0) return false;
    if (reply_.payload.size() != size) return broken_ = true, false;
    std::memcpy(to.data(), reply_.payload.data(), size);
    address += size;
    to = to.subspan(size);
  }
  return true;
}

bool RemoteCaller::copy_in(std::uint64_t address, MutableBytes to) noexcept {
  return read_prefetched(address, to) || (flush() && read_remote(address, to));
}

bool RemoteCaller::copy_out(std::uint64_t address, Bytes from) noexcept {
  if (overlaps_prefetched(address, from.size())) pieces_ = {};
  while (!from.empty() && !broken_ && !bad_write_) {
    const Bytes part = from.first(std::min(from.size(), PieceWriter::kMost));
    std::optional<MutableBytes> room = writes_.add(address, part.size());
    if (!room && flush()) room = writes_.add(address, part.size());
    if (!room) return false;
    std::memcpy(room->data(), part.data(), part.size());
    address += part.size();
    from = from.subspan(part.size());
  }
  return !broken_ && !bad_write_;
}

Fd RemoteCaller::descriptor(int fd) noexcept {
  if (about_ && fd == asked_.descriptor) return Fd(::fcntl(about_.get(), F_DUPFD_CLOEXEC, 0));
  if (fd < 0 || !ask(Kind::Descriptor, {.value = fd}, Kind::Given)) return Fd();
  return std::move(reply_.descriptor);
}

std::int64_t RemoteCaller::position(int fd) noexcept {
  if (!about_ || fd != asked_.descriptor) return Caller::position(fd);
  const off_t at = ::lseek(about_.get(), 0, SEEK_CUR);
  return at < 0 ? -errno : at;
}

int RemoteCaller::install(Fd object) noexcept {
  if (!flush()) return -EFAULT;
  if (!ask(Kind::Install, {.descriptor = object.get()}, Kind::Answer)) return -ECONNRESET;
  return static_cast<int>(reply_.value);
}

int RemoteCaller::close(int fd) noexcept {
  if (fd == asked_.descriptor) about_.reset();
  return ask(Kind::Close, {.value = fd}, Kind::Answer) ? static_cast<int>(reply_.value) : -ECONNRESET;
}

Result<Fd> RemoteCaller::open_path(int from, const std::string& path, int flags) noexcept {
  const wire::Outgoing question{
      .address = static_cast<std::uint64_t>(flags), .value = from, .payload = std::as_bytes(std::span(path))};
  if (!ask(Kind::Open, question, Kind::Given)) return fail(EFAULT, "the client is gone");
  if (reply_.value < 0 && reply_.value >= -4095)
    return fail(static_cast<int>(-reply_.value), path + ": " + std::strerror(static_cast<int>(-reply_.value)));
  if (!reply_.descriptor) return fail(ENOENT, path + ": the client has not opened it");
  return std::move(reply_.descriptor);
}

hive::Privilege RemoteCaller::privilege() const noexcept {
  return {.bpf = (asked_.rights & 1) != 0,
          .perfmon = (asked_.rights & 2) != 0,
          .net_admin = (asked_.rights & 4) != 0,
          .sys_admin = (asked_.rights & 8) != 0};
}

bool RemoteCaller::maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept {
  return ask(Kind::Mapped, {.address = bytes, .value = static_cast<std::int64_t>(inode)}, Kind::Answer) &&
         reply_.value != 0;
}

std::uint64_t RemoteCaller::mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept {
  const wire::Outgoing question{.address = bytes, .value = static_cast<std::int64_t>(inode)};
  return ask(Kind::MappedAt, question, Kind::Answer) ? static_cast<std::uint64_t>(reply_.value) : 0;
}

bool RemoteCaller::finish(long result) noexcept {
  about_.reset();
  reply_.descriptor.reset();
  if (bad_write_) result = -EFAULT;
  if (result < 0) given_.reset();
  return !broken_ &&
         channel_.send(Kind::Done, {.value = result, .payload = writes_.bytes(), .descriptor = given_.get()}) == 0;
}

}  // namespace skep::host
