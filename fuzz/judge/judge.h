// What this verifier and the running kernel's say of the same program, and whether it is the same.
//
// A Court makes the maps and the BTF that generated programs name, once; judge() then loads a program into the kernel
// (log level 1) and verifies it here with the Rules of the kernel's release. Compared are the verdict and, where both
// reject, the errno, the sentence that ends the log, and the instruction the log was at. Sentences are taken from logs
// as the verifier's own tests take them (verifier/testing_sentences.h). Threads: any number may judge at a time. Cost:
// 0.1 to 1 ms a program, nearly all of it the kernel's. Tested by: judge/judge_test.cc.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "judge/program.h"
#include "spec/verify.h"
#include "verifier/domain/rules.h"

namespace skep::judge {

struct Opinion {
  static constexpr std::int64_t kNowhere = -1;
  int error = 0;                 // an errno; 0: accepted
  std::string message = {};      // last sentence of the log
  std::int64_t insn = kNowhere;  // that was looked at last, where the log says one
  bool has_log = true;           // a program that is too large is not asked for its log, which takes seconds
};

enum class Agreement : std::uint8_t {
  Accepted,      // by both
  Rejected,      // by both, alike
  Unlike,        // by both, with another errno, sentence or instruction
  OnlyWeAccept,  // a finding
  OnlyWeReject,
  Unsupported,  // EOPNOTSUPP here: no verdict
};

struct Judgement {
  Opinion ours, theirs;
  Agreement agreement() const;
  // Both opinions with their numbers blanked: what disagreements are counted by.
  std::string signature() const;
};

class Court {
 public:
  Court();
  ~Court();
  Judgement judge(const Program& program) const;
  // Both logs, at level 2: for reports.
  std::pair<std::string, std::string> logs(const Program& program) const;

 private:
  struct Filled;
  Filled fill(const Program& program) const;
  spec::VerifyInput input(const Program& program, const Filled& filled, std::uint32_t log_level) const;
  int descriptor(const Program& program, std::string_view map) const;
  struct Types;
  std::unique_ptr<Types> types_;
  verifier::Rules rules_;
  std::uint32_t cpus_;
};

// The program as text that can be assembled again, with its type, flags and functions in comments.
std::string to_text(const Program& program);
// The program such a text describes. EINVAL.
Result<Program> from_text(std::string_view text);

}  // namespace skep::judge
