// What a soundness run counts and finds, and how it tells.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "exec/failure.h"
#include "judge/program.h"
#include "soundness/trial.h"

namespace skep::soundness {

struct Violation {
  judge::Class about;
  std::uint64_t program_seed, input_seed;
  Claims claims;
  std::string sentence;
  std::string program;  // made smaller, as text
};

struct Report {
  std::array<std::uint64_t, 4> programs{};  // by Trial::Start
  std::uint64_t not_written = 0;            // the generator could not
  std::array<std::uint64_t, 2> runs{};      // by Claims
  std::array<std::uint64_t, 2> claims{};    // that were compared: registers, over all instructions of all programs
  std::uint64_t violated_runs = 0;
  std::vector<Violation> violations;  // the first of each program, 20 at most
  std::chrono::duration<double> spent{};

  std::uint64_t all_programs() const;
  std::uint64_t all_runs() const { return runs[0] + runs[1]; }
};

std::string to_line(const Report& report);  // of progress
std::string to_text(const Report& report);
std::string to_json(const Report& report);

}  // namespace skep::soundness
