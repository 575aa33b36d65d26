// Counts of judgements by class, and which disagreements there were.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "judge/judge.h"

namespace skep::judge {

// A disagreement that was looked at and left (known_differences.def); null when `signature` is none.
struct KnownDifference {
  std::string_view ours, theirs;  // what the opinions contain
  std::string_view reason;
};
const KnownDifference* known_difference(const Judgement& judgement);

// What came of running programs that only we accept.
struct Trials {
  std::uint64_t safe = 0, unsafe = 0, not_run = 0;
  std::string why = {};  // of the first that was not safe
};

struct Disagreement {
  Agreement kind = Agreement::Unlike;
  std::uint64_t count = 0;
  Class about = Class::Alu;
  std::uint64_t seed = 0;  // of the first program
  const KnownDifference* known = nullptr;
  Trials trials = {};  // OnlyWeAccept

  // Nobody has looked at it, or it is not what was looked at: safe.
  bool is_finding() const {
    return known == nullptr || (kind == Agreement::OnlyWeAccept && (trials.safe == 0 || trials.unsafe != 0));
  }
};

struct ClassTally {
  std::uint64_t programs = 0;
  std::uint64_t accepted = 0;  // by the kernel
  std::uint64_t by_agreement[6] = {};
  std::uint64_t known = 0, known_unlike = 0;  // of the disagreements
  std::uint64_t of(Agreement kind) const { return by_agreement[static_cast<std::size_t>(kind)]; }
  // In percent. Programs that one verifier has no verdict for count as disagreement.
  double accepted_share() const { return share(accepted, programs); }
  double verdict_share() const { return share(of(Agreement::Accepted) + rejected_by_both(), programs); }
  double message_share() const { return share(of(Agreement::Rejected), rejected_by_both()); }
  std::uint64_t rejected_by_both() const { return of(Agreement::Rejected) + of(Agreement::Unlike); }

 private:
  static double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 100.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  }
};

struct Tally {
  std::array<ClassTally, kClasses> classes;
  std::map<std::string, Disagreement> disagreements;  // by signature
  // `trials` of the program, where only we accept it.
  void add(Class about, std::uint64_t seed, const Judgement& judgement, const Trials& trials = {});
  void add(const Tally& other);
  ClassTally total() const;
};

}  // namespace skep::judge
