// Why a program was rejected, for people: what was wrong in one sentence, where in the C source, where the value came
// from, what was known of it and what was needed, and how to repair it.
//
// explain() verifies a second time with a trail (state/trail.h), finds the row of causes.def for the verifier's last
// sentence, follows the value that the row names back along the trail (origin.h) and puts it into words. A rejection
// that no row knows is explained by its sentence, its place and the registers that its instruction reads. Cost: that of
// a verification with log level 1, and up to some tens of megabytes for the trail. Tested by:
// verifier/explain/explain_test.cc, tests/verify (one program, its explanation and its repair per row).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spec/verify.h"
#include "verifier/domain/rules.h"
#include "verifier/explain/source.h"

namespace skep::verifier {

struct Because {
  std::size_t insn = 0;
  std::string text;  // the instruction
  std::optional<Place> place;
  std::string says;  // "r1 = packet data, nothing of it proven to be there"
};

struct Explanation {
  std::string_view cause;  // the row: "packet_bounds"; "other"
  int code = 0;            // errno
  std::string message;     // the verifier's sentence
  std::string function;    // that the instruction is in; empty if unknown
  std::size_t insn = 0;
  std::string text;            // the instruction
  std::optional<Place> place;  // of it
  std::string what;
  std::string subject;           // the value it is about: "data", "r1"; empty: none
  std::string known, needed;     // of that value
  std::vector<Because> because;  // the oldest first
  std::string missing;           // what did not happen on this path; may be empty
  std::string hint;
};

// Nothing when the program is accepted.
std::optional<Explanation> explain(const spec::VerifyInput& input, Rules rules = Rules::Linux612);

// Lines of text, each ended by a newline.
std::string to_text(const Explanation& explanation);

// One row of causes.def, for tests.
struct CauseRow {
  std::string_view name, pattern, what, needed, hint;
};
std::vector<CauseRow> cause_rows();

}  // namespace skep::verifier
