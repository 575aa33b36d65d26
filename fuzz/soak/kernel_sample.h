// A sample of the programs through bpf(2) alone: a compiling hive, an interpreting one, and the running kernel, each
// with maps of its own, all given the same packets by PROG_TEST_RUN one after the other. Compared are the return value,
// the packet, and every element of every map.
//
// Only programs that can be expected to do the same everywhere are taken: those that use plain maps, and helpers whose
// results depend on their arguments alone, and that the verifier lets through without CAP_PERFMON, so that they neither
// tell addresses nor read what they never wrote. (In the hives that also gives them barriers.) Tested by:
// soak/soak_test.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "judge/program.h"

namespace skep::soak {

class KernelSample {
 public:
  enum class Outcome : std::uint8_t {
    Same,
    Unfit,  // not to be compared, or not taken by all three
    Different,
  };
  struct Found {
    Outcome outcome = Outcome::Unfit;
    std::uint64_t runs = 0;  // in the kernel
    std::string what = {};
  };

  KernelSample();
  ~KernelSample();
  // Empty: there is a kernel to ask.
  const std::string& obstacle() const noexcept { return obstacle_; }
  Found run(const judge::Program& program, std::uint64_t seed, unsigned inputs);

 private:
  struct Sides;
  std::unique_ptr<Sides> sides_;
  std::string obstacle_;
};

}  // namespace skep::soak
