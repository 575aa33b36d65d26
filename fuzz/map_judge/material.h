// The bytes that numbers of keys and values stand for.
//
// A number always stands for the same bytes, but for descriptors, which differ from side to side: what is asked has a
// side's own (key(), value()), what is compared has the thing's number in their place (normal_key(), normal()).
// Threads: any. Tested by: map_judge/map_judge_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "map_judge/sequence.h"
#include "map_judge/things.h"

namespace skep::map_judge {

using Blob = std::vector<std::byte>;

// What stands for a value that cannot be read.
Blob error_as_value(long error);

class Material {
 public:
  Material(const Sequence& sequence, unsigned cpus);

  const maps::Kind& kind() const noexcept { return kind_; }
  std::size_t key_size() const noexcept { return sequence_.spec.key_size; }
  std::size_t value_size() const noexcept { return value_size_; }  // of a system call

  Blob key(std::uint32_t number, const Things& things) const;
  Blob value(std::uint32_t number, const Things& things) const;
  // The same as both sides compare them; a value as it is read after it was written.
  Blob normal_key(std::uint32_t number) const;
  Blob normal(std::uint32_t number) const;
  // What a side read, with the thing in place of an object's id.
  void normalise(MutableBytes value, const Things& things) const;

 private:
  Blob key_bytes(std::uint32_t number, const Things* things) const;
  Blob value_bytes(std::uint32_t number, const Things* things) const;
  void prefix(std::uint32_t number, Blob& key) const;
  void device(std::uint32_t number, Blob& value, const Things* things) const;

  const Sequence& sequence_;
  const maps::Kind& kind_;
  std::size_t value_size_;
};

}  // namespace skep::map_judge
