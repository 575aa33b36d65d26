#include "judge/tally.h"

#include <tuple>

namespace skep::judge {
namespace {

constexpr KnownDifference kKnown[] = {
#define DIFFERENCE(ours, theirs, reason) {ours, theirs, reason},
#include "judge/known_differences.def"
#undef DIFFERENCE
    {"", "", ""},
};

// An empty part fits everything.
bool fits(std::string_view part, const Opinion& opinion) {
  if (part.empty()) return true;
  return part == "accepted" ? opinion.error == 0 : opinion.error != 0 && opinion.message.contains(part);
}

void join(ClassTally& to, const ClassTally& from) {
  to.programs += from.programs;
  to.accepted += from.accepted;
  to.known += from.known;
  to.known_unlike += from.known_unlike;
  for (std::size_t i = 0; i < std::size(to.by_agreement); ++i) to.by_agreement[i] += from.by_agreement[i];
}

void join(Trials& to, const Trials& from) {
  to.safe += from.safe;
  to.unsafe += from.unsafe;
  to.not_run += from.not_run;
  if (to.why.empty()) to.why = from.why;
}

}  // namespace

const KnownDifference* known_difference(const Judgement& judgement) {
  for (const KnownDifference& row : kKnown)
    if (!row.reason.empty() && fits(row.ours, judgement.ours) && fits(row.theirs, judgement.theirs)) return &row;
  return nullptr;
}

void Tally::add(Class about, std::uint64_t seed, const Judgement& judgement, const Trials& trials) {
  ClassTally& tally = classes[static_cast<std::size_t>(about)];
  const Agreement kind = judgement.agreement();
  ++tally.programs;
  if (judgement.theirs.error == 0) ++tally.accepted;
  ++tally.by_agreement[static_cast<std::size_t>(kind)];
  if (kind == Agreement::Accepted || kind == Agreement::Rejected) return;
  const KnownDifference* known = known_difference(judgement);
  if (known != nullptr) ++tally.known;
  if (known != nullptr && kind == Agreement::Unlike) ++tally.known_unlike;
  auto [found, is_new] = disagreements.try_emplace(judgement.signature(), Disagreement{kind, 0, about, seed, known});
  ++found->second.count;
  join(found->second.trials, trials);
}

void Tally::add(const Tally& other) {
  for (std::size_t i = 0; i < kClasses; ++i) join(classes[i], other.classes[i]);
  for (const auto& [signature, disagreement] : other.disagreements) {
    auto [found, is_new] = disagreements.try_emplace(signature, disagreement);
    if (is_new) continue;
    found->second.count += disagreement.count;
    join(found->second.trials, disagreement.trials);
    if (std::tie(disagreement.seed, disagreement.about) < std::tie(found->second.seed, found->second.about))
      found->second.seed = disagreement.seed, found->second.about = disagreement.about;
  }
}

ClassTally Tally::total() const {
  ClassTally sum;
  for (const ClassTally& tally : classes) join(sum, tally);
  return sum;
}

}  // namespace skep::judge
