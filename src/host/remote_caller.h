// A client of the host as the hive sees it: a hive::Caller whose memory and descriptors are at the other end of a
// connection.
//
// What came with the request (wire/prefetch.def) is read from there; everything else is asked of the client. What the
// hive writes is gathered and goes with the next message: a bad address then fails the whole call with EFAULT, as the
// kernel would. A client that goes away, or answers what was not asked, is one whose every address is bad and whose
// every descriptor is closed, until the command ends. One per call. Tested by: host/host_test.cc.
#pragma once

#include "hive/caller.h"
#include "wire/channel.h"

namespace skep::host {

class RemoteCaller final : public hive::Caller {
 public:
  // `pieces` must stay as they are until the call is over, so not in the channel's buffer, which answers go to.
  RemoteCaller(wire::Channel& channel, wire::PieceWriter& gathered, const wire::Asked& asked, Bytes pieces,
               Fd about) noexcept
      : channel_(channel), writes_(gathered), asked_(asked), pieces_(pieces), about_(std::move(about)) {
    writes_.clear();
  }

  bool copy_in(std::uint64_t address, MutableBytes to) noexcept override;
  bool copy_out(std::uint64_t address, Bytes from) noexcept override;
  Fd descriptor(int fd) noexcept override;
  std::int64_t position(int fd) noexcept override;
  int install(Fd object) noexcept override;
  int give(Fd object) noexcept override { return given_ = std::move(object), 0; }
  int close(int fd) noexcept override;
  Result<Fd> open_path(int from, const std::string& path, int flags) noexcept override;
  hive::Privilege privilege() const noexcept override;
  bool maps_writable(std::uint64_t inode, std::uint64_t bytes) noexcept override;
  std::uint64_t mapped_at(std::uint64_t inode, std::uint64_t bytes) noexcept override;
  bool has_gone() noexcept override { return broken_ || channel_.is_closed(); }

  // Tells the client the result, with what was written. Nothing of the client's is open here any more then. False when
  // the connection is of no use any more.
  bool finish(long result) noexcept;

 private:
  // Asks and takes the answer, which must be of kind `expected`: false when the connection is broken.
  bool ask(wire::Kind question, const wire::Outgoing& out, wire::Kind expected) noexcept;
  bool flush() noexcept;
  bool read_prefetched(std::uint64_t address, MutableBytes to) const noexcept;
  bool overlaps_prefetched(std::uint64_t address, std::size_t size) const noexcept;
  bool read_remote(std::uint64_t address, MutableBytes to) noexcept;

  wire::Channel& channel_;
  wire::PieceWriter& writes_;
  const wire::Asked asked_;
  Bytes pieces_;
  Fd about_;
  wire::Message reply_;
  Fd given_;  // the client's number for it is the result
  bool broken_ = false, bad_write_ = false;
};

}  // namespace skep::host
