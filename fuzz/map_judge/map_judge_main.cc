// skep-map-judge: random operations on maps of a hive and of the running kernel, and where the answers differ.
//
// Exit code: 0 when nothing differed, 1 when something did that is no row of known_differences.def, 2 for wrong
// arguments, 77 where the running kernel lets nobody make maps.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "judge/json_text.h"
#include "kernel/bpf.h"
#include "map_judge/court.h"
#include "spec/types.h"
#include "tool.h"

namespace {

using namespace skep;
using namespace skep::map_judge;

struct Options {
  std::uint64_t count = 100'000, seed = 1;
  std::uint32_t length = 100;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::string> kinds;
  bool json = false;
};

struct Found {
  std::uint64_t count = 0;
  std::uint64_t seed = 0;
  std::string example;
};

struct Tally {
  std::uint64_t operations = 0, maps = 0, refused = 0, differences = 0, known = 0;
  bool kernel_has = true;
  std::map<std::string, Found> found;
};

// What came of one kind. Seeds are handed out in order: a run is the same whatever the number of threads.
class Session {
 public:
  Session(spec::MapType type, const Options& options) : type_(type), options_(options) {}
  Tally run() {
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 0; i < options_.jobs; ++i) workers.emplace_back([this] { work(); });
      while (running_ != 0 || !began_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        fuzz::show_progress(fmt::format("{}: {} of {}", spec::name(type_), done_.load(), options_.count));
      }
    }
    fuzz::show_progress({});
    return std::move(tally_);
  }

 private:
  void work() {
    ++running_;
    began_ = true;
    Court court;
    if (court.kernel_has(type_)) {
      while (done_ < options_.count) judge(court, next_++);
    } else {
      const std::scoped_lock lock(mutex_);
      tally_.kernel_has = false;
    }
    --running_;
  }
  void judge(Court& court, std::uint64_t index) {
    const std::uint64_t seed = options_.seed + index;
    const Sequence sequence = draw(type_, seed, options_.length, court.cpus());
    const Verdict verdict = court.judge(sequence);
    done_ += verdict.operations;
    const std::scoped_lock lock(mutex_);
    tally_.operations += verdict.operations;
    ++(verdict.is_map ? tally_.maps : tally_.refused);
    tally_.known += verdict.known;
    if (!verdict.difference) return;
    const Difference& difference = *verdict.difference;
    ++tally_.differences;
    Found& found = tally_.found[difference.what];
    if (found.count++ != 0) return;
    found.seed = seed;
    const Sequence small = court.minimised(sequence);
    const auto again = court.judge(small).difference;
    const Difference& shown = again ? *again : difference;
    found.example = fmt::format("{}  => {}\n  {}\n", to_text(small), shown.what, shown.answers);
  }

  const spec::MapType type_;
  const Options& options_;
  std::atomic<std::uint64_t> next_{0}, done_{0};
  std::atomic<unsigned> running_{0};
  std::atomic<bool> began_{false};
  std::mutex mutex_;
  Tally tally_;
};

void print_json(std::string_view kind, const Tally& tally) {
  fmt::print(R"({{"kind":"{}","in_kernel":{},"operations":{},"maps":{},"refused":{},"differences":{},"known":{}}})"
             "\n",
             kind, tally.kernel_has, tally.operations, tally.maps, tally.refused, tally.differences, tally.known);
  for (const auto& [what, found] : tally.found)
    fmt::print(R"({{"kind":"{}","difference":{},"count":{},"seed":{},"sequence":{}}})"
               "\n",
               kind, judge::json_text(what), found.count, found.seed, judge::json_text(found.example));
}

void print_text(std::string_view kind, const Tally& tally) {
  if (!tally.kernel_has) {
    fmt::print("{:<22} not in this kernel\n", kind);
    return;
  }
  fmt::print("{:<22} {:>10} {:>8} {:>8} {:>12} {:>6}\n", kind, tally.operations, tally.maps, tally.refused,
             tally.differences, tally.known);
  for (const auto& [what, found] : tally.found)
    fmt::print("\n{} x {}, seed {}:\n{}\n", found.count, what, found.seed, found.example);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Random operations on maps of a hive and of the running kernel: the same answers", "skep-map-judge");
  app.add_option("--count", options.count, "Operations on maps of each kind")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the first map's operations; the next have the next")
      ->capture_default_str();
  app.add_option("--length", options.length, "Operations on each map")->capture_default_str();
  app.add_option("--kind", options.kinds, "Maps of this kind only (hash, lpm_trie...); may be repeated");
  app.add_option("--jobs", options.jobs, "Threads")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_flag("--json", options.json, "One JSON object a line: each kind, then its differences");
  if (const auto code = fuzz::parse(app, argc, argv)) return *code;
  for (const std::string& kind : options.kinds)
    if (!spec::map_type(kind)) {
      fmt::print(stderr, "skep-map-judge: there is no kind of map called {}\n", kind);
      return fuzz::kUsage;
    }
  if (!kernel::available()) {
    fmt::print(stderr, "skep-map-judge: skipped, {}\n", kernel::why_unavailable());
    return fuzz::kSkipped;
  }
  if (!options.json)
    fmt::print("{:<22} {:>10} {:>8} {:>8} {:>12} {:>6}\n", "kind", "operations", "maps", "refused", "differences",
               "known");
  bool clean = true;
  for (std::uint32_t number = 1; const auto type = spec::map_type(number); ++number) {
    const std::string kind(spec::name(*type));
    if (maps::find_kind(*type) == nullptr) continue;
    if (!options.kinds.empty() && std::ranges::find(options.kinds, kind) == options.kinds.end()) continue;
    const Tally tally = Session(*type, options).run();
    options.json ? print_json(kind, tally) : print_text(kind, tally);
    clean = clean && tally.differences == 0;
  }
  return clean ? 0 : fuzz::kFound;
}
