// Is this program safe to run? The verifier's one door.
//
// verify() takes what spec/verify.h describes and answers with the program, or with the errno and the sentence of Linux
// 6.12; the log is filled either way. What is not covered yet is refused with EOPNOTSUPP and "not supported yet: ...",
// which is no verdict. Cost: microseconds for small programs; bounded by isa::kMaxInsns steps and kMaxForks pending
// branches. No state is shared between calls. Tested by: verifier/explore/verify_test.cc (against the running kernel),
// fuzz/verifier_fuzz.cc.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "spec/verify.h"
#include "verifier/domain/rules.h"

namespace skep::verifier {

struct Walk;
class Explored;

// Is told of a rejection while the walk that led to it is still there, with its trail, which is only recorded for one.
class Recorder {
 public:
  virtual ~Recorder() = default;
  virtual void rejected(const Walk& walk, std::string_view log) = 0;
};

struct Verdict {
  std::expected<spec::VerifiedProgram, spec::Rejection> result;
  spec::VerifyStats stats;
  std::string log;           // empty at log level 0; at most VerifyInput::log_limit bytes of it
  std::size_t log_size = 0;  // of all of it
  std::chrono::nanoseconds duration{};
};

// `explored`, which tests ask for, is told what the walk claims of registers.
Verdict verify(const spec::VerifyInput& input, Rules rules = Rules::Linux612, Recorder* recorder = nullptr,
               Explored* explored = nullptr);

// Whether an accepted extension, whose main function is `main`, may stand for the function of another program of the
// same type that `input` names as target: what prepare/target.cc asks. Of `input`, its program's types and target
// count.
using TargetVerdict = std::expected<void, spec::Rejection>;
TargetVerdict check_extension(const spec::VerifyInput& input, const spec::TargetFunction& main);

}  // namespace skep::verifier
