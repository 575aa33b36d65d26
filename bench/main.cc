// skep-bench [--check] [NAME...]: how much slower compiled programs and the interpreter are than native code, program
// by program and as a geometric mean. In each of seven rounds every form runs for a while, one after the other, so that
// a slow second of the machine meets all of them; a time is the median of its runs, a ratio the median of the rounds,
// the spread their extremes.
// --check runs each program once in each form and compares results and memory.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <string_view>

#include "engines.h"

namespace skep::bench {
namespace {

constexpr std::size_t kMemory = 16384;  // bytes each program works on: fits the first-level cache
constexpr int kRounds = 7;
constexpr std::array<double, 4> kSeconds = {0.01, 0.01, 0.04, 0.04};  // per form and round

std::vector<std::byte> memory(kMemory);

struct Outcome {
  std::uint64_t result = 0;
  std::vector<std::byte> memory;
  bool operator==(const Outcome&) const = default;
};

// Native, compiled, interpreted and checked must agree before anything is measured.
Result<> agree(const Program& program, const Runner& runner) {
  Outcome expected;
  for (const Form form : kForms) {
    runner.prepare(memory);
    TRY(const std::uint64_t result, runner.run(form, memory));
    Outcome outcome{result, memory};
    if (form == Form::Native) expected = outcome;
    if (outcome != expected)
      return fail(EIO, fmt::format("{}: form {} gives {:#x}, native code {:#x}{}", program.name, static_cast<int>(form),
                                   result, expected.result, result == expected.result ? ", and other memory" : ""));
  }
  return {};
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Nanoseconds a run: the median of as many runs as fit the time. Preparing the memory is not counted.
double measure(const Runner& runner, Form form) {
  using Clock = std::chrono::steady_clock;
  const double enough = kSeconds[static_cast<std::size_t>(form)] * 1e9;
  double total = 0;
  std::vector<double> runs;
  while (total < enough) {
    runner.prepare(memory);
    const auto start = Clock::now();
    if (!runner.run(form, memory)) return NAN;
    runs.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    total += runs.back();
  }
  return median(std::move(runs));
}

using Rounds = std::array<double, kRounds>;

struct Row {
  Rounds native, compiled, plain, checked;  // nanoseconds
  double compile_time = 0;
};

Row measure_all(const Runner& runner) {
  Row row;
  row.compile_time = runner.compile_time();
  for (std::size_t i = 0; i < kRounds; ++i) {
    row.native[i] = measure(runner, Form::Native);
    row.compiled[i] = measure(runner, Form::Compiled);
    row.plain[i] = measure(runner, Form::Plain);
    row.checked[i] = measure(runner, Form::Checked);
  }
  return row;
}

Rounds over(const Rounds& a, const Rounds& b) {
  Rounds ratio;
  for (std::size_t i = 0; i < kRounds; ++i) ratio[i] = a[i] / b[i];
  return ratio;
}

double middle(const Rounds& values) { return median({values.begin(), values.end()}); }

void print(const Program& program, const Runner& runner, const Row& row) {
  const Rounds compiled = over(row.compiled, row.native), slower = over(row.plain, row.native);
  fmt::print("{:<16}{:>10.0f}{:>10.0f}{:>7.2f}  {:>5.2f} - {:<5.2f}{:>12.0f}{:>7.1f}{:>12.0f}{:>7.1f}{:>10}{:>10.1f}\n",
             program.name, middle(row.native), middle(row.compiled), middle(compiled), std::ranges::min(compiled),
             std::ranges::max(compiled), middle(row.plain), middle(slower), middle(row.checked),
             middle(over(row.checked, row.plain)), runner.insns(), row.compile_time / 1000);
  std::fflush(stdout);
}

// The geometric mean over all programs of one form against another: of the medians, and of the least and greatest
// round.
void print_mean(std::string_view what, const std::vector<Row>& rows, Rounds Row::* slow, Rounds Row::* fast) {
  Rounds logs{};
  double log_of_medians = 0, least = INFINITY, greatest = 0;
  for (const Row& row : rows) {
    const Rounds ratio = over(row.*slow, row.*fast);
    for (std::size_t i = 0; i < kRounds; ++i) logs[i] += std::log(ratio[i]);
    log_of_medians += std::log(middle(ratio));
    least = std::min(least, middle(ratio));
    greatest = std::max(greatest, middle(ratio));
  }
  const auto mean = [&](double log_sum) { return std::exp(log_sum / static_cast<double>(rows.size())); };
  fmt::print("{}: {:.2f}, the geometric mean of {} programs (rounds {:.2f} - {:.2f}, programs {:.2f} - {:.2f})\n", what,
             mean(log_of_medians), rows.size(), mean(std::ranges::min(logs)), mean(std::ranges::max(logs)), least,
             greatest);
}

int run(bool check_only, const std::vector<std::string_view>& names) {
  std::vector<Row> rows;
  if (!check_only)
    fmt::print("{:<16}{:>10}{:>10}{:>7}  {:^13}{:>12}{:>7}{:>12}{:>7}{:>10}{:>10}\n", "ns a run", "native", "compiled",
               "ratio", "rounds", "interpreter", "ratio", "checked", "ratio", "insns", "us to jit");
  for (const Program& program : programs()) {
    if (!names.empty() && std::ranges::find(names, program.name) == names.end()) continue;
    const auto runner = Runner::load(program);
    const auto same = runner ? agree(program, *runner) : std::unexpected(runner.error());
    if (!same) {
      fmt::print(stderr, "skep-bench: {}: {}\n", program.name, same.error().message);
      return 1;
    }
    rows.emplace_back();
    if (check_only) continue;
    rows.back() = measure_all(*runner);
    print(program, *runner, rows.back());
  }
  if (rows.empty()) {
    fmt::print(stderr, "skep-bench: no program has this name\n");
    return 2;
  }
  if (check_only) {
    fmt::print("{} programs: native code, compiled code and both policies of the interpreter agree\n", rows.size());
  } else {
    fmt::print("\n");
    print_mean("compiled / native", rows, &Row::compiled, &Row::native);
    print_mean("interpreter / native", rows, &Row::plain, &Row::native);
    print_mean("checked / interpreter", rows, &Row::checked, &Row::plain);
  }
  return 0;
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char** argv) {
  std::vector<std::string_view> names(argv + 1, argv + argc);
  const bool check_only = std::erase(names, "--check") > 0;
  return skep::bench::run(check_only, names);
}
