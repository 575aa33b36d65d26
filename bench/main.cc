// skep-bench [--check] [NAME...]: how much slower the interpreter is than native code, program by program and as a
// geometric mean. In each of seven rounds every form runs for a while, one after the other, so that a slow second of
// the machine meets all of them; a ratio is the median of the rounds, and the spread their least and greatest.
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
constexpr std::array<double, 3> kSeconds = {0.01, 0.04, 0.04};  // per form and round

std::vector<std::byte> memory(kMemory);

struct Outcome {
  std::uint64_t result = 0;
  std::vector<std::byte> memory;
  bool operator==(const Outcome&) const = default;
};

// Native, interpreted and checked must agree before anything is measured.
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

// Nanoseconds a run: the mean over as many runs as fit the time. Preparing the memory is not counted.
double measure(const Runner& runner, Form form) {
  using Clock = std::chrono::steady_clock;
  const double enough = kSeconds[static_cast<std::size_t>(form)] * 1e9;
  double total = 0;
  int runs = 0;
  while (total < enough) {
    runner.prepare(memory);
    const auto start = Clock::now();
    if (!runner.run(form, memory)) return NAN;
    total += std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    ++runs;
  }
  return total / runs;
}

struct Spread {
  double least, median, greatest;
};

Spread spread_of(std::array<double, kRounds> values) {
  std::ranges::sort(values);
  return {values.front(), values[kRounds / 2], values.back()};
}

struct Row {
  Spread native, plain, checked;  // nanoseconds
  Spread slower;                  // plain over native
  Spread checks;                  // checked over plain
};

Row measure_all(const Runner& runner) {
  std::array<std::array<double, kRounds>, 5> values;
  for (std::size_t i = 0; i < kRounds; ++i) {
    for (const Form form : kForms) values[static_cast<std::size_t>(form)][i] = measure(runner, form);
    values[3][i] = values[1][i] / values[0][i];
    values[4][i] = values[2][i] / values[1][i];
  }
  return {spread_of(values[0]), spread_of(values[1]), spread_of(values[2]), spread_of(values[3]), spread_of(values[4])};
}

// The geometric mean of one figure over all programs.
template <class Figure>
double mean(const std::vector<Row>& rows, Figure figure) {
  double sum = 0;
  for (const Row& row : rows) sum += std::log(figure(row));
  return std::exp(sum / static_cast<double>(rows.size()));
}

void print(const Program& program, const Row& row) {
  fmt::print("{:<16}{:>10.0f}{:>12.0f}{:>9.1f}  {:>5.1f} - {:<5.1f}{:>12.0f}{:>8.1f}\n", program.name,
             row.native.median, row.plain.median, row.slower.median, row.slower.least, row.slower.greatest,
             row.checked.median, row.checks.median);
  std::fflush(stdout);
}

void print_means(const std::vector<Row>& rows) {
  const auto [fastest, slowest] =
      std::ranges::minmax_element(rows, {}, [](const Row& row) { return row.slower.median; });
  fmt::print(
      "\ninterpreter / native: {:.1f} (geometric mean of {} programs; rounds {:.1f} - {:.1f}; programs {:.1f} - "
      "{:.1f})\n",
      mean(rows, [](const Row& row) { return row.slower.median; }), rows.size(),
      mean(rows, [](const Row& row) { return row.slower.least; }),
      mean(rows, [](const Row& row) { return row.slower.greatest; }), fastest->slower.median, slowest->slower.median);
  fmt::print("checked / interpreter: {:.1f} (geometric mean; rounds {:.1f} - {:.1f})\n",
             mean(rows, [](const Row& row) { return row.checks.median; }),
             mean(rows, [](const Row& row) { return row.checks.least; }),
             mean(rows, [](const Row& row) { return row.checks.greatest; }));
}

int run(bool check_only, const std::vector<std::string_view>& names) {
  std::vector<Row> rows;
  if (!check_only)
    fmt::print("{:<16}{:>10}{:>12}{:>9}  {:^13}{:>12}{:>8}\n", "ns a run", "native", "interpreter", "ratio", "rounds",
               "checked", "ratio");
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
    print(program, rows.back());
  }
  if (rows.empty()) {
    fmt::print(stderr, "skep-bench: no program has this name\n");
    return 2;
  }
  if (check_only) {
    fmt::print("{} programs: native code and both policies of the interpreter agree\n", rows.size());
  } else {
    print_means(rows);
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
