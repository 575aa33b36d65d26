// The records of a ring buffer, as its one consumer maps it: a page with the consumer's position, one with the
// producer's, then the data, twice in a row, so that a record is in one piece.
//
// Positions and headers may be anything: a record that does not fit ends the reading. Tested by: tests/map_command,
// tests/cli.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace skep::cli {

class RingReader {
 public:
  enum class Use : std::uint8_t {
    Look,  // records stay
    Take,  // records are consumed
  };
  // `data_bytes`: max_entries of the map. Errors: mmap's.
  static Result<RingReader> open(int fd, std::size_t data_bytes, Use use);
  RingReader(RingReader&& other) noexcept
      : use_(other.use_),
        bytes_(other.bytes_),
        consumer_(std::exchange(other.consumer_, nullptr)),
        producer_(std::exchange(other.producer_, nullptr)) {}
  RingReader& operator=(RingReader&&) = delete;
  ~RingReader();

  // Calls `visit` with each complete record that is there, discarded ones left out, until it returns false (that record
  // counts as read). How many were visited.
  std::size_t read(const std::function<bool(Bytes record)>& visit);
  // Bytes between the two positions: of records that were not consumed, headers included.
  std::uint64_t waiting() const;

 private:
  RingReader(Use use, std::size_t bytes) : use_(use), bytes_(bytes) {}
  Use use_;
  std::size_t bytes_;
  void* consumer_ = nullptr;
  void* producer_ = nullptr;
};

}  // namespace skep::cli
