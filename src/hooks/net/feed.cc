#include "hooks/net/feed.h"

#include <algorithm>
#include <vector>

#include "hooks/net/ethernet.h"

namespace skep::hooks::net {
namespace {

// Copies of packets, one behind the other, as frames.
class Pile {
 public:
  void clear() {
    bytes_.clear();
    packets_.clear();
    sizes_.clear();
  }
  void add(const Packet& packet, LinkType link) {
    const std::size_t start = bytes_.size();
    if (link == LinkType::RawIp) append(ethernet_for(packet.data));
    const std::size_t added = bytes_.size() - start;
    append(packet.data);
    packets_.push_back(
        {.data = {}, .wire_bytes = packet.wire_bytes + static_cast<std::uint32_t>(added), .time_ns = packet.time_ns});

    sizes_.push_back(bytes_.size() - start);
  }
  // The frames; only now do the bytes stay where they are.
  std::span<const Packet> packets() {
    std::size_t at = 0;
    for (std::size_t i = 0; i < packets_.size(); at += sizes_[i++])
      packets_[i].data = Bytes(bytes_).subspan(at, sizes_[i]);
    return packets_;
  }
  std::size_t size() const { return packets_.size(); }

 private:
  void append(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  std::vector<std::byte> bytes_;
  std::vector<std::size_t> sizes_;
  std::vector<Packet> packets_;
};

class Feeder {
 public:
  Feeder(CaptureReader& reader, const FeedOptions& options, Consumer& consumer)
      : reader_(reader), options_(options), consumer_(consumer) {}

  // One round over the capture: whether to go on.
  Result<bool> round(std::uint64_t number) {
    std::uint64_t fed = 0;
    while (options_.limit == 0 || fed < options_.limit) {
      const std::uint64_t left =
          options_.limit == 0 ? options_.batch : std::min<std::uint64_t>(options_.batch, options_.limit - fed);
      Result<bool> more = fill(left);
      if (pile_.size() != 0 && !consumer_.take({.packets = pile_.packets(), .first = fed + 1, .round = number}))
        return false;
      fed += pile_.size();
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
    }
    return true;
  }

 private:
  // Up to `count` packets; false at the capture's end.
  Result<bool> fill(std::uint64_t count) {
    pile_.clear();
    Packet packet;
    while (pile_.size() < count) {
      TRY(const bool more, reader_.next(packet));
      if (!more) return false;
      pile_.add(packet, reader_.link());
    }
    return true;
  }

  CaptureReader& reader_;
  const FeedOptions& options_;
  Consumer& consumer_;
  Pile pile_;
};

}  // namespace

Result<> feed(CaptureReader& reader, const FeedOptions& options, Consumer& consumer) {
  Feeder feeder(reader, options, consumer);
  for (std::uint64_t round = 0; round < options.repeat; ++round) {
    if (round != 0) TRY_VOID(reader.rewind());
    TRY(const bool go_on, feeder.round(round));
    if (!go_on) break;
  }
  return {};
}

}  // namespace skep::hooks::net
