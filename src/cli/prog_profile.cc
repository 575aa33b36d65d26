// skep prog profile: how often a program runs, for how long, and what the processor counts in its code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/code_sampler.h"
#include "cli/prog.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "spec/uapi.h"

namespace skep::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct ProfileRequest : ObjectRequest {
  double seconds = 1;
  std::set<std::string_view> metrics;
};

// While it lives, programs are counted and timed.
Expected<Fd> enable_statistics(const BpfCall& bpf) {
  spec::Attr attr{};
  attr.enable_stats.type = std::to_underlying(spec::StatsType::RunTime);
  const long fd = call(bpf, spec::Command::EnableStats, attr);
  if (fd < 0) return std::unexpected(unavailable("programs cannot be timed (BPF_ENABLE_STATS)", fd));
  return Fd(static_cast<int>(fd));
}

struct Runs {
  std::uint64_t count = 0, nanoseconds = 0;
};
Expected<Runs> runs_of(const LiveProgram& program) {
  spec::ProgInfo info{};
  if (const long error = get_info(program.bpf, program.fd.get(), info); error < 0)
    return std::unexpected(unavailable(fmt::format("program {} cannot be looked at", program.called()), error));
  return Runs{info.run_cnt, info.run_time_ns};
}

// What was asked for and can be counted, and why the rest cannot.
struct Counters {
  struct One {
    const ProfileMetric& metric;
    CodeSampler sampler;
  };
  std::vector<One> list;
  std::vector<std::string> missing;

  void drain() {
    for (One& one : list) one.sampler.drain();
  }
};

std::string why_missing(int error) {
  if (error == ENOENT || error == EOPNOTSUPP || error == EINVAL)
    return "this machine's processor does not offer it (a virtual one often offers nothing); cpu_clock is always there";
  return fmt::format("perf_event_open(2) answers: {}; it needs CAP_PERFMON, or kernel.perf_event_paranoid below 1",
                     std::strerror(error));
}

std::string why_no_code(const LiveProgram& program, const ProgramContents& contents) {
  if (!is_kernels(program.fd.get())) return "the processor's events are counted for the kernel's programs only";
  return contents.symbols.empty() ? "the program has no machine code of its own, or it is hidden" : "";
}

Expected<Counters> open_counters(const ProfileRequest& request, const LiveProgram& program) {
  Counters counters;
  if (request.metrics.empty()) return counters;
  const auto contents = contents_of(program);
  if (!contents) return std::unexpected(contents.error());
  for (const ProfileMetric& metric : profile_metrics()) {
    if (!request.metrics.contains(metric.name)) continue;
    std::string why = why_no_code(program, *contents);
    auto sampler = why.empty() ? CodeSampler::open(metric, *contents) : std::unexpected(0);
    if (sampler) {
      counters.list.push_back({metric, *std::move(sampler)});
      continue;
    }
    if (why.empty()) why = why_missing(sampler.error());
    counters.missing.push_back(fmt::format("{} is not counted: {}", metric.name, why));
  }
  return counters;
}

void wait(double seconds, Counters& counters) {
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Progress progress;
  for (auto now = Clock::now(); now < end; now = Clock::now()) {
    progress.show([&] { return fmt::format("{:.0f} s to go", std::chrono::duration<double>(end - now).count()); });
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(50), end - now));
    counters.drain();
  }
}

void print(const LiveProgram& program, const Runs& ran, double seconds, const Counters& counters) {
  fmt::print("{} ran {} times in {:.1f} s", program.called(), grouped(ran.count), seconds);
  if (ran.count != 0)
    fmt::print(": {} ns each, {:.1f} % of a CPU", grouped(ran.nanoseconds / ran.count),
               static_cast<double>(ran.nanoseconds) / seconds / 1e7);
  fmt::print("\n");
  if (counters.list.empty()) return;
  Table table({"in its code", "sampled", "each run"});
  for (const auto& [metric, sampler] : counters.list)
    table.add({std::string(metric.name), grouped(sampler.events()),
               ran.count == 0
                   ? "-"
                   : fmt::format("{:.1f}", static_cast<double>(sampler.events()) / static_cast<double>(ran.count))});
  fmt::print("{}", table.text());
}

Expected<> profile(ProfileRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto program = open_program(request, *bpf);
  if (!program) return std::unexpected(program.error());
  auto counters = open_counters(request, *program);
  if (!counters) return std::unexpected(counters.error());
  const auto statistics = enable_statistics(*bpf);
  if (!statistics) return std::unexpected(statistics.error());
  const auto before = runs_of(*program);
  if (!before) return std::unexpected(before.error());
  const Clock::time_point start = Clock::now();
  wait(request.seconds, *counters);
  const auto after = runs_of(*program);
  if (!after) return std::unexpected(after.error());
  counters->drain();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Runs ran{after->count - before->count, after->nanoseconds - before->nanoseconds};
  if (request.json) {
    Json out = {
        {"id", program->info.id}, {"seconds", seconds}, {"run_cnt", ran.count}, {"run_time_ns", ran.nanoseconds}};
    for (const auto& [metric, sampler] : counters->list) out[std::string(metric.name)] = sampler.events();
    out["missing"] = counters->missing;
    return print_json(out), Expected<>{};
  }
  print(*program, ran, seconds, *counters);
  std::fflush(stdout);
  for (const std::string& why : counters->missing) fmt::print(stderr, "{}\n", why);
  return {};
}

}  // namespace

void declare_prog_profile(CommandGroup& group) {
  auto [command, request] = declare_object_command<ProfileRequest>(
      group, "profile", "Count and time a program's runs for a while", {"PROG"}, profile);
  command.add_option("--duration", request.seconds, "how long")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS")
      ->capture_default_str();
  for (const ProfileMetric& metric : profile_metrics()) {
    std::string name(metric.name);
    std::ranges::replace(name, '_', '-');
    const std::string about = fmt::format("also what happens in its machine code: {}", metric.about);
    command.add_flag_callback(
        "--" + name, [&metrics = request.metrics, &metric] { metrics.insert(metric.name); }, about);
  }
}

}  // namespace skep::cli
