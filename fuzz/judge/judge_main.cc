// skep-judge: random programs before this verifier and the running kernel's.
//
// A program that only this verifier accepts is run on drawn inputs in the checked interpreter (soundness/safety.h).
// Exit code: 0 when nothing was found, 1 when a disagreement is no row of known_differences.def or such a program was
// not seen to be safe, 2 for wrong arguments, 77 where the running kernel does not let programs be loaded.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "judge/generate.h"
#include "judge/json_text.h"
#include "judge/minimise.h"
#include "judge/tally.h"
#include "kernel/bpf.h"
#include "soundness/safety.h"
#include "soundness/world.h"
#include "tool.h"
#include "verifier/testing_maps.h"

namespace {

using namespace skep;
using namespace skep::judge;

using fuzz::kFound, fuzz::kUsage, fuzz::kSkipped;
constexpr std::uint32_t kInputs = 100;  // of a program that only we accept, for each set of claims

struct Options {
  std::uint64_t count = 100'000, seed = 1;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::optional<Class> about;
  bool json = false, show = false;
  std::string keep, file;
};

// The seeds are handed out in order, so that a run is the same whatever the number of threads.
class Session {
 public:
  Session(const Court& court, const Options& options) : court_(court), options_(options) {}

  Tally run() {
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 0; i < options_.jobs; ++i) workers.emplace_back([this] { work(); });
      report_progress();
    }
    return std::move(tally_);
  }

 private:
  void work() {
    const verifier::testing::HelperNames names;
    soundness::World world;
    Tally own;
    for (std::uint64_t i = next_++; i < options_.count; i = next_++) {
      const Class about = options_.about.value_or(static_cast<Class>(i % kClasses));
      const std::uint64_t seed = options_.seed + i;
      const auto program = generate(about, seed, names);
      if (!program) {
        std::fprintf(stderr, "%lu: %s\n", static_cast<unsigned long>(seed), program.error().message.c_str());
        continue;
      }
      const Judgement said = court_.judge(*program);
      const bool alone = said.agreement() == Agreement::OnlyWeAccept;
      own.add(about, seed, said, alone ? tried(world, *program) : Trials{});
    }
    const std::scoped_lock lock(mutex_);
    tally_.add(own);
  }
  static Trials tried(soundness::World& world, const Program& program) {
    using enum soundness::Safety::Kind;
    const soundness::Safety safety = safety_of(world, program, kInputs);
    return {safety.kind == Safe, safety.kind == Unsafe, safety.kind == NotRun, safety.why};
  }
  void report_progress() const {
    while (next_ < options_.count) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      fuzz::show_progress(fmt::format("{} of {}", std::min(next_.load(), options_.count), options_.count));
    }
    fuzz::show_progress({});
  }

  const Court& court_;
  const Options& options_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex mutex_;
  Tally tally_;
};

constexpr std::string_view kKinds[] = {"", "", "in other words", "ONLY WE ACCEPT", "only we reject", "not supported"};

void print_row(std::string_view name, const ClassTally& tally) {
  fmt::print("{:<12} {:>8} {:>8.1f}% {:>10.2f}% {:>10.2f}% {:>6} {:>6} {:>6} {:>6}\n", name, tally.programs,
             tally.accepted_share(), tally.verdict_share(), tally.message_share(), tally.of(Agreement::OnlyWeAccept),
             tally.of(Agreement::OnlyWeReject), tally.of(Agreement::Unlike), tally.of(Agreement::Unsupported));
}

void print_table(const Tally& tally) {
  fmt::print("{:<12} {:>8} {:>9} {:>11} {:>11} {:>6} {:>6} {:>6} {:>6}\n", "class", "programs", "accepted", "verdicts",
             "messages", "+ours", "-ours", "unlike", "unsup.");
  for (std::size_t i = 0; i < kClasses; ++i)
    if (tally.classes[i].programs != 0) print_row(kClassNames[i], tally.classes[i]);
  print_row("all", tally.total());
}

using Found = std::pair<std::string, Disagreement>;
std::vector<Found> by_weight(const Tally& tally) {
  std::vector<Found> all(tally.disagreements.begin(), tally.disagreements.end());
  std::ranges::stable_sort(all, [](const Found& a, const Found& b) {
    const auto key = [](const Found& f) {
      return std::pair(f.second.kind != Agreement::OnlyWeAccept, ~f.second.count);
    };
    return key(a) < key(b);
  });
  return all;
}

std::string example(const Court& court, const Disagreement& disagreement) {
  const auto program = generate(disagreement.about, disagreement.seed, verifier::testing::HelperNames());
  return program ? to_text(minimised(court, *program)) : std::string();
}

void print_disagreement(const Found& found, const std::string& text) {
  const auto& [signature, disagreement] = found;
  fmt::print("\n{} x {}: {}\n  {} seed {}{}{}\n{}", disagreement.count,
             kKinds[static_cast<std::size_t>(disagreement.kind)], signature,
             kClassNames[static_cast<std::size_t>(disagreement.about)], disagreement.seed,
             disagreement.known != nullptr ? ", known: " : "",
             disagreement.known != nullptr ? disagreement.known->reason : std::string_view(), text);
  const Trials& trials = disagreement.trials;
  if (disagreement.kind == Agreement::OnlyWeAccept)
    fmt::print("  in the checked interpreter: {} ran safely on {} inputs, {} UNSAFE, {} not run{}{}\n", trials.safe,
               2 * kInputs, trials.unsafe, trials.not_run, trials.why.empty() ? "" : ": ", trials.why);
}

void print_json_class(std::string_view name, const ClassTally& tally) {
  fmt::print(
      R"({{"class":"{}","programs":{},"accepted_percent":{:.2f},"verdict_percent":{:.3f},"message_percent":{:.3f},)"
      R"("only_we_accept":{},"only_we_reject":{},"unlike":{},"unsupported":{}}})"
      "\n",
      name, tally.programs, tally.accepted_share(), tally.verdict_share(), tally.message_share(),
      tally.of(Agreement::OnlyWeAccept), tally.of(Agreement::OnlyWeReject), tally.of(Agreement::Unlike),
      tally.of(Agreement::Unsupported));
}

void keep(const std::string& folder, std::size_t number, const Found& found, const std::string& text) {
  std::filesystem::create_directories(folder);
  std::ofstream(fmt::format("{}/{:03}.txt", folder, number)) << "; " << found.first << '\n' << text;
}

void report(const Court& court, const Options& options, const Tally& tally) {
  if (options.json) {
    for (std::size_t i = 0; i < kClasses; ++i)
      if (tally.classes[i].programs != 0) print_json_class(kClassNames[i], tally.classes[i]);
  } else {
    print_table(tally);
    std::fflush(stdout);
  }
  std::size_t number = 0;
  for (const Found& found : by_weight(tally)) {
    const std::string text = example(court, found.second);
    if (!options.keep.empty()) keep(options.keep, ++number, found, text);
    if (options.json)
      fmt::print(R"({{"disagreement":{},"count":{},"kind":"{}","class":"{}","seed":{},"known":{},)"
                 R"("safe":{},"unsafe":{},"not_run":{},"program":{}}})"
                 "\n",
                 json_text(found.first), found.second.count, kKinds[static_cast<std::size_t>(found.second.kind)],
                 kClassNames[static_cast<std::size_t>(found.second.about)], found.second.seed,
                 found.second.known != nullptr, found.second.trials.safe, found.second.trials.unsafe,
                 found.second.trials.not_run, json_text(text));
    else
      print_disagreement(found, text);
  }
}

Result<Program> from_file(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return from_text(text);
}

// One program, as it is, made small, and what both say of it.
int show(const Court& court, const Options& options) {
  const auto program = options.file.empty() ? generate(options.about.value_or(Class::Alu), options.seed,
                                                       verifier::testing::HelperNames())
                                            : from_file(options.file);
  if (!program) {
    fmt::print(stderr, "{}\n", program.error().message);
    return kUsage;
  }
  const Judgement judgement = court.judge(*program);
  fmt::print("{}\n{}\n", to_text(*program), judgement.signature());
  const bool agree = judgement.agreement() == Agreement::Accepted || judgement.agreement() == Agreement::Rejected;
  if (agree) return 0;
  const Program small = minimised(court, *program);
  const auto [ours, theirs] = court.logs(small);
  fmt::print("\nminimised:\n{}\nours:\n{}\nkernel:\n{}\n", to_text(small), ours, theirs);
  return kFound;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Random programs before this verifier and the running kernel's", "skep-judge");
  app.add_option("--count", options.count, "Programs")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the first program; the next have the next")->capture_default_str();
  app.add_option("--class", options.about, "Programs of this class only")
      ->transform(CLI::Transformer(classes_by_name()));
  app.add_option("--jobs", options.jobs, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--json", options.json, "One JSON object a line: classes, then disagreements");
  app.add_option("--keep", options.keep, "Write an example of each disagreement into this folder");
  app.add_flag("--show", options.show, "One program (--class, --seed): as it is, made small, and both logs");
  app.add_option("--file", options.file, "The same of a program as the examples are printed");
  if (const auto code = fuzz::parse(app, argc, argv)) return *code;
  if (!kernel::available()) {
    std::fprintf(stderr, "skep-judge: skipped, %s\n", kernel::why_unavailable().c_str());
    return kSkipped;
  }
  const Court court;
  if (options.show || !options.file.empty()) return show(court, options);
  const Tally tally = Session(court, options).run();
  report(court, options, tally);
  const bool found = std::ranges::any_of(tally.disagreements, [](const auto& row) { return row.second.is_finding(); });
  return found ? kFound : 0;
}
