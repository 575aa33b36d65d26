#include "map_judge/court.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/cpus.h"
#include "base/errno.h"
#include "map_judge/material.h"
#include "map_judge/model.h"

namespace skep::map_judge {
namespace {

using spec::MapType;

struct Known {
  MapType kind;
  std::string_view words;
};
constexpr Known kKnown[] = {
#define DIFFERENCE(kind, words, reason) {MapType::kind, words},
#include "map_judge/known_differences.def"
#undef DIFFERENCE
    {MapType::Unspec, "\n"}};  // so that there is one

bool is_known(MapType kind, const std::string& what) {
  return std::ranges::any_of(kKnown, [&](const Known& row) {
    return (row.kind == MapType::Unspec || row.kind == kind) && what.starts_with(row.words);
  });
}

std::string result_text(long result) {
  if (result >= 0) return std::to_string(result);
  if (result == -kNotSupported) return "ENOTSUPP";
  const char* name = ::strerrorname_np(static_cast<int>(-result));
  return name != nullptr ? name : std::to_string(result);
}

std::string hex(const Blob& bytes) {
  std::string text;
  for (const std::byte byte : std::span(bytes).first(std::min<std::size_t>(bytes.size(), 32)))
    text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return bytes.size() > 32 ? text + "..." : text;
}

// Whose elements come in an order of its own.
bool has_own_order(const maps::Kind& kind) noexcept {
  return kind.family == maps::Family::Hash || kind.type == MapType::DevmapHash || kind.type == MapType::Sockhash;
}

bool is_one_of(long result, std::initializer_list<long> results) noexcept {
  return std::ranges::find(results, result) != results.end();
}

hive::Options options() {
  hive::Options made;
  made.engine = hive::Engine::Interp;
  return made;
}

}  // namespace

std::string to_text(const Answer& answer) {
  std::string text = result_text(answer.result);
  if (answer.count != 0) text += fmt::format(" count {}", answer.count);
  if (!answer.data.empty()) text += " " + hex(answer.data);
  for (const auto& [key, value] : answer.elements) text += fmt::format(" [{}]={}", hex(key), hex(value));
  return text;
}

// One sequence on both sides.
class Court::Trial {
 public:
  Trial(Side& ours, Side& theirs, const Sequence& sequence, const Material& material, unsigned cpus)
      : ours_(ours),
        theirs_(theirs),
        is_bloom_(material.kind().family == maps::Family::Bloom),
        own_order_(has_own_order(material.kind()) || is_bloom_),
        evicts_(sequence.keys > keys_without_eviction(sequence.spec, cpus)),
        our_model_(sequence, material, evicts_),
        their_model_(sequence, material, evicts_) {}

  std::optional<Difference> step(const Operation& operation) {
    const Answer ours = ours_.perform(operation), theirs = theirs_.perform(operation);
    if (const std::string why = difference(operation, ours, theirs); !why.empty()) {
      const auto flaw = operation.flaw == Flaw::None ? "" : fmt::format(" ({})", name(operation.flaw));
      return Difference{.what = fmt::format("{}{}: hive {}, kernel {}{}", name(operation.act), flaw,
                                            result_text(ours.result), result_text(theirs.result), why),
                        .answers = fmt::format("hive {}\n  kernel {}", to_text(ours), to_text(theirs))};
    }
    settle(operation, ours, theirs);
    return std::nullopt;
  }

 private:
  // Empty: there is none.
  std::string difference(const Operation& operation, const Answer& ours, const Answer& theirs) {
    if (!own_order_) return ours == theirs ? "" : ours.result == theirs.result ? ": content" : " ";
    if (std::string why = our_model_.judge(operation, ours); !why.empty()) return ": hive: " + why;
    if (std::string why = their_model_.judge(operation, theirs); !why.empty()) return ": kernel: " + why;
    return agree(operation, ours, theirs) ? "" : ours.result == theirs.result ? ": content" : " ";
  }
  // Whether the results may stand side by side, now that each is right for its own side.
  bool agree(const Operation& operation, const Answer& ours, const Answer& theirs) const {
    const auto both = [&](std::initializer_list<long> results) {
      return is_one_of(ours.result, results) && is_one_of(theirs.result, results);
    };
    switch (operation.act) {
      case Act::NextKey: return ours.result == theirs.result || both({0, -ENOENT, -EFAULT});
      case Act::LookupBatch:
      case Act::TakeBatch:
        if (operation.flaw != Flaw::None && both({0, -ENOENT, -ENOSPC, -EFAULT})) return true;
        [[fallthrough]];
      case Act::Walk:
      case Act::WalkBatch:
      case Act::Drain: return ours.result == theirs.result || both({0, -ENOENT, -ENOSPC});
      case Act::Map:
      case Act::Info: return ours == theirs;
      default: break;
    }
    if (evicts_ && both({0, -ENOENT, -EEXIST, -EFAULT})) return true;
    if (is_bloom_ && operation.act == Act::Lookup && both({0, -ENOENT})) return true;
    return ours == theirs;
  }
  // Each took elements of its own choice: afterwards both are without all of them.
  void settle(const Operation& operation, const Answer& ours, const Answer& theirs) {
    if (operation.act != Act::TakeBatch || evicts_) return;
    if (ours.result == -EFAULT || theirs.result == -EFAULT) {
      for (Side* side : {&ours_, &theirs_}) side->clear();
      for (Model* model : {&our_model_, &their_model_}) model->forget_all();
      return;
    }
    for (const Element& element : ours.elements) erase(theirs_, their_model_, element.first);
    for (const Element& element : theirs.elements) erase(ours_, our_model_, element.first);
  }
  static void erase(Side& side, Model& model, const Blob& key) {
    if (!model.may_hold(key)) return;
    side.erase(key);
    model.forget(key);
  }

  Side &ours_, &theirs_;
  const bool is_bloom_, own_order_, evicts_;
  Model our_model_, their_model_;
};

Court::Court()
    : cpus_(possible_cpus()), ours_(std::move(*hive::Hive::create(options())), shared_), theirs_(nullptr, shared_) {
  stay_on_this_cpu();
}

bool Court::kernel_has(MapType type) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Sequence sequence = draw(type, seed, 0, cpus_);
    const Material material(sequence, cpus_);
    if (theirs_.create(sequence, material) == 0) return true;
  }
  return false;
}

Verdict Court::judge(const Sequence& sequence, Known known) {
  const Material material(sequence, cpus_);
  if (material.kind().family == maps::Family::Socket || material.kind().type == MapType::SkStorage)
    shared_.renew_sockets();
  Verdict verdict{.operations = 1};
  const long ours = ours_.create(sequence, material), theirs = theirs_.create(sequence, material);
  if (ours != theirs)
    verdict.difference = {.at = sequence.operations.size(),
                          .what = fmt::format("create: hive {}, kernel {}", result_text(ours), result_text(theirs))};
  if (ours != 0 || theirs != 0) return verdict;
  verdict.is_map = true;
  Trial trial(ours_, theirs_, sequence, material, cpus_);
  for (std::size_t i = 0; i < sequence.operations.size() && !verdict.difference; ++i, ++verdict.operations) {
    auto difference = trial.step(sequence.operations[i]);
    if (!difference) continue;
    difference->at = i;
    if (known == Known::Left && is_known(sequence.spec.type, difference->what))
      ++verdict.known;
    else
      verdict.difference = std::move(difference);
  }
  return verdict;
}

// Pieces are left out, smaller and smaller ones, for as long as a difference remains.
Sequence Court::minimised(Sequence sequence, Known known) {
  const auto first = judge(sequence, known).difference;
  if (!first) return sequence;
  if (first->at < sequence.operations.size()) sequence.operations.resize(first->at + 1);
  for (std::size_t piece = std::max<std::size_t>(1, sequence.operations.size() / 2);; piece /= 2) {
    for (std::size_t at = 0; at + piece <= sequence.operations.size();) {
      Sequence less = sequence;
      const auto from = less.operations.begin() + static_cast<std::ptrdiff_t>(at);
      less.operations.erase(from, from + static_cast<std::ptrdiff_t>(piece));
      if (judge(less, known).difference)
        sequence = std::move(less);
      else
        at += piece;
    }
    if (piece <= 1) return sequence;
  }
}

}  // namespace skep::map_judge
