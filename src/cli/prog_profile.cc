// skep prog profile: how often a program runs, for how long and with what of the processor's counters.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/prog.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "spec/uapi.h"

namespace skep::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ProfileRequest : ObjectRequest {
  double seconds = 1;
};

// While it lives, programs are counted and timed.
Expected<Fd> enable_statistics(const BpfCall& bpf) {
  spec::Attr attr{};
  attr.enable_stats.type = std::to_underlying(spec::StatsType::RunTime);
  const long fd = call(bpf, spec::Command::EnableStats, attr);
  if (fd < 0) return std::unexpected(unavailable("programs cannot be timed (BPF_ENABLE_STATS)", fd));
  return Fd(static_cast<int>(fd));
}

void wait(double seconds) {
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  Progress progress;
  for (auto now = Clock::now(); now < end; now = Clock::now()) {
    progress.show([&] { return fmt::format("{:.0f} s to go", std::chrono::duration<double>(end - now).count()); });
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(100), end - now));
  }
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

Expected<> profile(ProfileRequest& request) {
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto program = open_program(request, *bpf);
  if (!program) return std::unexpected(program.error());
  const auto statistics = enable_statistics(*bpf);
  if (!statistics) return std::unexpected(statistics.error());
  const auto before = runs_of(*program);
  if (!before) return std::unexpected(before.error());
  const Clock::time_point start = Clock::now();
  wait(request.seconds);
  const auto after = runs_of(*program);
  if (!after) return std::unexpected(after.error());
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const Runs ran{after->count - before->count, after->nanoseconds - before->nanoseconds};
  if (request.json) {
    print_json(
        {{"id", program->info.id}, {"seconds", seconds}, {"run_cnt", ran.count}, {"run_time_ns", ran.nanoseconds}});
    return {};
  }
  fmt::print("{} ran {} times in {:.1f} s", program->called(), grouped(ran.count), seconds);
  if (ran.count != 0)
    fmt::print(": {} ns each, {:.1f} % of a CPU", grouped(ran.nanoseconds / ran.count),
               static_cast<double>(ran.nanoseconds) / seconds / 1e7);
  fmt::print("\n");
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
}

}  // namespace skep::cli
