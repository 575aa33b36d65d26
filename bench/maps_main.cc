// skep-bench-maps [--check] [--quick] [--json FILE] [NAME...]: how fast maps are, ours and the running kernel's,
// against the bars of issue 5. A NAME is a part of a line's name; `/` asks for all.
//
// Times are taken as skep-bench takes them, in turns and batch by batch. --quick takes short batches and leaves out
// maps of millions of entries, which are also left out where there is little memory, unless they are named. --check
// compares what programs return and leave in the packet.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "base/cpus.h"
#include "maps_programs.h"
#include "maps_users.h"

namespace skep::bench {
namespace {

constexpr double kQuickBatchTime = 0.3e6;        // nanoseconds
constexpr std::uint32_t kLarge = 2'000'000;      // entries
constexpr std::uint64_t kLargeMemory = 4 << 20;  // KiB: what the kernel takes for the largest case and ours, twice

struct Arguments {
  bool check = false, quick = false;
  std::string json;
  std::vector<std::string_view> names;

  bool names_one(std::string_view line) const {
    return std::ranges::any_of(names, [&](std::string_view part) { return line.find(part) != line.npos; });
  }
};

std::uint64_t available_memory() {
  std::ifstream info("/proc/meminfo");
  std::string word;
  std::uint64_t kilobytes = 0;
  while (info >> word)
    if (word == "MemAvailable:" && info >> kilobytes) return kilobytes;
  return 0;
}

std::vector<int> our_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

bool leaves_out(const MapCase& map, const Arguments& arguments) {
  return map.entries > kLarge &&
         (arguments.check || (arguments.names.empty() && (arguments.quick || available_memory() < kLargeMemory)));
}

int failed(std::string_view what, const Error& error) {
  fmt::print(stderr, "skep-bench-maps: {}: {}\n", what, error.message);
  return 1;
}

int run_checks() {
  for (const MapCase& map : map_cases()) {
    if (leaves_out(map, {.check = true, .json = {}, .names = {}})) continue;
    if (const Result<> done = check(map); !done) return failed(map.name, done.error());
  }
  if (const Result<> done = check_users(); !done) return failed("user", done.error());
  fmt::print("all maps agree\n");
  return 0;
}

int run_measurements(const Arguments& arguments) {
  std::vector<Line> lines;
  const Plan plan{
      .asked = [&](std::string_view line) { return arguments.names.empty() || arguments.names_one(line); },
      .batch_time = arguments.quick ? kQuickBatchTime : kBatchTime,
      .cpus = our_cpus(),
      .found = [&](Line line) { print_line(lines.emplace_back(std::move(line))); },
  };
  stay_on_this_cpu();
  print_map_heading();
  for (const MapCase& map : map_cases()) {
    if (!asks_for_any(map, plan)) continue;
    if (leaves_out(map, arguments)) {
      fmt::print("{}: left out\n", map.name);
      continue;
    }
    if (const Result<> done = measure(map, plan); !done) return failed(map.name, done.error());
  }
  if (const Result<> done = measure_users(plan); !done) return failed("user", done.error());
  if (lines.empty()) {
    fmt::print(stderr, "skep-bench-maps: no line has this name\n");
    return 2;
  }
  print_map_summary(lines);
  if (arguments.json.empty()) return 0;
  const Result<> written = write_json(lines, arguments.json);
  return written ? 0 : failed("--json", written.error());
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) {
  skep::bench::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--check") {
      arguments.check = true;
    } else if (argument == "--quick") {
      arguments.quick = true;
    } else if (argument == "--json" && i + 1 < argc) {
      arguments.json = argv[++i];
    } else {
      arguments.names.push_back(argument);
    }
  }
  return arguments.check ? skep::bench::run_checks() : skep::bench::run_measurements(arguments);
}
