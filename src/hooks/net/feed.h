// From a capture to batches of Ethernet frames: limits, repetition, and what was read before an error.
// Memory: one batch. Tested by: hooks/net/feed_test.cc.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "hooks/net/capture.h"

namespace skep::hooks::net {

struct FeedOptions {
  std::uint64_t limit = 0;   // packets of the capture; 0: all
  std::uint64_t repeat = 1;  // times the capture is fed
  std::size_t batch = 64;
};

struct Batch {
  std::span<const Packet> packets;  // Ethernet frames
  std::uint64_t first = 0;          // number of the first in the capture, from 1
  std::uint64_t round = 0;          // of `repeat`, from 0
};

// Takes batches; false ends the feed.
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual bool take(const Batch& batch) = 0;
};

// The reader's error when it has one; everything before it was taken.
Result<> feed(CaptureReader& reader, const FeedOptions& options, Consumer& consumer);

}  // namespace skep::hooks::net
