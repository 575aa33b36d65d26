// Is this program safe to run? The verifier's one door.
//
// verify() takes what spec/verify.h describes and answers with the program, or with the errno and the sentence of Linux
// 6.12; the log is filled either way. Covered so far: programs of one function without loops, of the types whose return
// value is free, that compute, branch, use their stack at known offsets, read fields of the context and the packet, and
// call helpers without arguments. Whatever else is refused with EOPNOTSUPP and "not supported yet: ...", which is no
// verdict. There is no pruning yet: a program that Linux prunes is walked in full, to the same verdict or to the limit
// of instructions. Cost: microseconds for small programs; bounded by isa::kMaxInsns steps and 8192 pending branches. No
// state is shared between calls. Tested by: verifier/explore/verify_test.cc (against the running kernel),
// fuzz/verifier_fuzz.cc.
#pragma once

#include <expected>
#include <string>

#include "spec/verify.h"
#include "verifier/domain/rules.h"

namespace skep::verifier {

struct Verdict {
  std::expected<spec::VerifiedProgram, spec::Rejection> result;
  spec::VerifyStats stats;
  std::string log;  // empty at log level 0
};

Verdict verify(const spec::VerifyInput& input, Rules rules = Rules::Linux612);

}  // namespace skep::verifier
