// The same operations on a hive's map and on the running kernel's, and where their answers part.
//
// Everything is compared: what is returned, what is written to where the caller said, in which order. What differs
// rightly is compared with what must hold instead (map_judge/model.h), and is listed in docs/maps.md. A difference that
// was looked at and left is a row of map_judge/known_differences.def. Threads: one for each Court, which stays on its
// CPU. Cost: about 5 us an operation. Tested by: map_judge/map_judge_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "map_judge/sequence.h"
#include "map_judge/side.h"

namespace skep::map_judge {

struct Difference {
  std::size_t at = 0;  // the operation; as many as there are operations: creation
  std::string what;    // "lookup: hive ENOENT, kernel 0"
  std::string answers = {};
};

struct Verdict {
  std::uint64_t operations = 0;  // done on both sides, creation included
  std::uint64_t known = 0;       // differences among them that were left
  bool is_map = false;           // both made one
  std::optional<Difference> difference = {};
};

class Court {
 public:
  Court();
  // Whether the kernel makes maps of this type.
  bool kernel_has(spec::MapType type);
  // Goes on behind known differences, which change nothing, unless they are to be reported like any other.
  enum class Known : std::uint8_t { Left, Reported };
  Verdict judge(const Sequence& sequence, Known known = Known::Left);
  // The shortest that was found to differ as well.
  Sequence minimised(Sequence sequence, Known known = Known::Left);
  unsigned cpus() const noexcept { return cpus_; }

 private:
  class Trial;
  unsigned cpus_;
  SharedThings shared_;
  Side ours_, theirs_;
};

std::string to_text(const Answer& answer);

}  // namespace skep::map_judge
