// skep verify: what the verifier says of each program of an object, with its numbers; of those it rejects, why.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/object_options.h"
#include "cli/style.h"
#include "cli/verify_report.h"
#include "kernel/bpf.h"

namespace skep::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string program, compare;
  ObjectOptions object;
  std::uint32_t log_level = 0;
  unsigned rounds = 1;
  bool unprivileged = false, stats = false, json = false, csv = false, kernel = false;
};

constexpr std::uint32_t kMostLogLevel = 7;
constexpr unsigned kMostRounds = 1000;

template <class T>
void keep_fastest(T& kept, T&& asked, bool first) {
  if (first || asked.duration < kept.duration) kept = std::move(asked);
}

// One round: each verifier once, so that a slow moment of the machine meets both.
std::expected<void, Failure> ask(const ObjectBytes& file, const std::string& program, const VerifyOptions& how,
                                 const Options& options, Row& row) {
  const bool first = row.ours.program.empty();
  auto ours = verify_program(file, program, how);
  if (!ours) return std::unexpected(ours.error());
  const auto time = ours->duration;
  keep_fastest(row.ours, *std::move(ours), first);
  if (!options.kernel) return {};
  auto theirs = ask_kernel(file, program, how);
  if (!theirs) return std::unexpected(theirs.error());
  const auto kernel_time = std::max(theirs->duration, std::chrono::microseconds(1));  // it counts whole ones
  row.ratios.push_back(std::chrono::duration<double>(time) / std::chrono::duration<double>(kernel_time));
  if (!row.kernel) row.kernel = *theirs;
  keep_fastest(*row.kernel, *std::move(theirs), first);
  return {};
}

std::expected<void, Failure> verify_file(const std::string& path, const Options& options, std::vector<Row>& rows) {
  const auto file = object_bytes(path, options.object.cpu);
  if (!file) return std::unexpected(file.error());
  const VerifyOptions how{.btf = options.object.btf,
                          .unprivileged = options.unprivileged,
                          .log_level = options.log_level,
                          .again = options.rounds > 1};
  const auto programs = programs_of(*file, options.program, how);
  if (!programs) return std::unexpected(programs.error());
  for (const std::string& program : *programs) {
    Row row{.file = path.substr(path.rfind('/') + 1), .ours = {}, .kernel = {}, .ratios = {}};
    for (unsigned round = 0; round < options.rounds; ++round)
      if (const auto done = ask(*file, program, how, options, row); !done) return std::unexpected(done.error());
    rows.push_back(std::move(row));
  }
  return {};
}

// "reject: packet_read (xdp), in 12 instructions", and why.
void print_reason(const Row& row, const Style& style) {
  const Verified& p = row.ours;
  if (p.outcome == Outcome::Accepted) return;
  const char* const word = p.outcome == Outcome::Rejected      ? "reject"
                           : p.outcome == Outcome::Unsupported ? "no verdict"
                                                               : "not loaded";
  const std::string spent =
      p.outcome == Outcome::NotAsked ? "" : fmt::format(", in {} instructions", p.stats.insns_processed);
  fmt::print("\n{} {} ({}){}\n", style.bad(fmt::format("{}:", word)), p.program, p.type, spent);
  if (p.explanation)
    fmt::print("{}", verifier::to_text(*p.explanation));
  else
    fmt::print("  {}\n", p.message);
}

void print_kernel(const Row& row, const Style& style) {
  if (!row.kernel || row.kernel->outcome == row.ours.outcome) return;
  fmt::print("\n{} {}: {} here, {} by the kernel{}{}\n", style.bad("difference:"), row.ours.program,
             name(row.ours.outcome), name(row.kernel->outcome), row.kernel->message.empty() ? "" : ": ",
             row.kernel->message);
}

void print_all(const std::vector<Row>& rows, const Options& options) {
  const Style style(stdout);
  for (const Row& row : rows)
    if (!row.ours.log.empty()) fmt::print("log of {}:\n{}\n", row.ours.program, row.ours.log);
  fmt::print("{}", table_of(rows, options.stats ? Details::All : Details::Usual));
  if (options.kernel) fmt::print("{}", summary_of(rows));
  for (const Row& row : rows) print_reason(row, style);
  for (const Row& row : rows) print_kernel(row, style);
}

void print_json(const std::vector<Row>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const Row& row : rows) list.push_back(json_of(row));
  fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

Exit exit_of(const std::vector<Row>& rows) {
  const auto any = [&rows](auto what) { return std::ranges::any_of(rows, what); };
  if (any([](const Row& row) { return row.kernel && row.kernel->outcome != row.ours.outcome; }))
    return Exit::Difference;
  if (any([](const Row& row) {
        return row.ours.outcome == Outcome::Rejected || row.ours.outcome == Outcome::NotAsked;
      }))
    return Exit::Refused;
  if (any([](const Row& row) { return row.ours.outcome == Outcome::Unsupported; })) return Exit::Unavailable;
  return Exit::Ok;
}

Exit verify(const Options& options) {
  if (options.kernel && !kernel::available())
    return report({Exit::Unavailable, "--kernel: " + kernel::why_unavailable()});
  Baseline earlier;
  if (!options.compare.empty()) {
    auto read = read_baseline(options.compare);
    if (!read) return report(read.error());
    earlier = *std::move(read);
  }
  std::vector<Row> rows;
  std::optional<Exit> failed;  // of a file; the others are asked all the same
  for (const std::string& file : options.files) {
    const auto done = verify_file(file, options, rows);
    if (!done) failed = report(done.error());
  }
  if (!options.compare.empty())
    fmt::print("{}", compared(rows, earlier));
  else if (options.csv)
    fmt::print("{}", csv_of(rows));
  else if (options.json)
    print_json(rows);
  else
    print_all(rows, options);
  return failed.value_or(exit_of(rows));
}

}  // namespace

void declare_verify(Program& program) {
  CLI::App* command =
      program.app.add_subcommand("verify", "Ask the verifier about every program of an object, and why it rejects");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->files, "C source (.c), compiled with clang-19, or an object file; one or more")
      ->required();
  command->add_option("--prog", options->program, "only this program")->type_name("NAME");
  command->add_flag("--unprivileged", options->unprivileged, "as loaded by a user without capabilities");
  command
      ->add_option("--log", options->log_level,
                   "print the verifier's log: 1 the failing path, 2 all, 4 numbers; or a sum")
      ->check(CLI::Range(1U, kMostLogLevel))
      ->type_name("LEVEL");
  command->add_flag("--stats", options->stats, "more numbers: sizes, stack, states per instruction");
  command
      ->add_option("--repeat", options->rounds,
                   "N rounds, with --kernel in turns, each of as many loads as fit in 2 ms; show the fastest")
      ->check(CLI::Range(1U, kMostRounds))
      ->type_name("N");
  command->add_flag("--kernel", options->kernel, "ask the running kernel, too, and compare");
  CLI::Option* const compare =
      command
          ->add_option("--compare", options->compare,
                       "only what differs from the earlier --csv output (or veristat's) in FILE")
          ->type_name("FILE");
  add_object_options(*command, options->object);
  CLI::Option* const csv = command->add_flag("--csv", options->csv, "as comma separated values")->excludes(compare);
  command->add_flag("--json", options->json, "as JSON")->excludes(compare)->excludes(csv);
  command->callback([&program, options] { program.chosen = [options] { return verify(*options); }; });
}

}  // namespace skep::cli
