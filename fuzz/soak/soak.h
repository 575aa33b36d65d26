// The soak: as many differential runs as are asked for, and what they found.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "judge/program.h"
#include "soak/differential.h"
#include "soak/kernel_sample.h"

namespace skep::soak {

struct Options {
  std::uint64_t runs = 10'000'000;  // of compiled code against the interpreter
  std::uint64_t seed = 1;
  std::uint32_t inputs = 100;  // of each program
  std::uint32_t sample = 1;    // one program of so many is put to the kernel as well; 0: none
  double seconds = 0;          // 0: no limit
};

struct Report {
  std::uint64_t programs = 0, accepted = 0, compiled = 0;
  std::array<std::uint64_t, kForms> runs{};  // compared, by form
  std::uint64_t cut = 0, addresses = 0;      // not compared
  std::uint64_t kernel_programs = 0, kernel_runs = 0;
  std::string kernel_obstacle;
  std::uint64_t differences = 0;
  struct Difference {
    judge::Class about;
    std::uint64_t seed, input;
    std::string engine, what, program;
  };
  std::vector<Difference> told;  // the first of each program, 20 at most
  std::chrono::duration<double> spent{};

  std::uint64_t all_runs() const;
};
std::string to_line(const Report& report);  // of progress
std::string to_text(const Report& report);

// `progress` is called about once a second, and at the end.
Report run(const Options& options, const std::function<void(const Report&)>& progress);

}  // namespace skep::soak
