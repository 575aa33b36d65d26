#include "report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

namespace skep::bench {
namespace {

std::optional<Ratio> ratio(const Row& row, Form over, Form under) {
  if (!row.of(over) || !row.of(under)) return std::nullopt;
  return bench::ratio(*row.of(over), *row.of(under));
}

// Kinds whose work is done in maps and helpers: what native code does there in their place is another implementation.
bool is_pure(const Row& row) {
  return row.program.kind != "maps" && row.program.kind != "ring" && row.program.kind != "helpers";
}

using Which = std::function<bool(const Row&)>;
auto of_kind(std::string_view kind) {
  return [kind](const Row& row) { return row.program.kind == kind; };
}
bool all(const Row&) { return true; }

struct Mean {
  std::size_t count = 0;
  double value = 0;
};
Mean geometric_mean(const std::vector<Row>& rows, const Which& which, Form over, Form under) {
  Mean mean;
  double logs = 0;
  for (const Row& row : rows) {
    const std::optional<Ratio> found = which(row) ? ratio(row, over, under) : std::nullopt;
    if (!found) continue;
    ++mean.count;
    logs += std::log(found->median);
  }
  if (mean.count != 0) mean.value = std::exp(logs / static_cast<double>(mean.count));
  return mean;
}

std::string number(double value, int digits) { return value == 0 ? "-" : fmt::format("{:.{}f}", value, digits); }

std::string time_of(const Row& row, Form form) { return row.of(form) ? number(median(*row.of(form)), 0) : "-"; }

std::string middle(const std::optional<Ratio>& found) { return found ? number(found->median, 2) : "-"; }
std::string spread(const std::optional<Ratio>& found) {
  return found ? fmt::format("{:.2f}-{:.2f}", found->low, found->high) : "";
}

constexpr const char* kColumns = "{:<24}{:>9}{:>8}{:>9}{:>8}  {:<11}{:>10}{:>8}{:>9}{:>8}  {:<11}{:>7}{:>9}\n";

void print_mean(const std::vector<Row>& rows, std::string_view what, const Which& which) {
  const auto mean = [&](Form over, Form under) { return number(geometric_mean(rows, which, over, under).value, 2); };
  fmt::print(kColumns, what, "", mean(Form::Vector, Form::Native), "", mean(Form::Jit, Form::Native), "", "",
             mean(Form::Interp, Form::Native), "", mean(Form::Kernel, Form::Jit), "", "", "");
}

std::vector<std::string_view> kinds(const std::vector<Row>& rows) {
  std::vector<std::string_view> found;
  for (const Row& row : rows)
    if (std::ranges::find(found, row.program.kind) == found.end()) found.push_back(row.program.kind);
  return found;
}

std::string full_name(const Program& program) { return fmt::format("{}/{}", program.kind, program.name); }

void print_bar(std::string_view what, std::string_view wanted, const std::string& reached, bool met) {
  fmt::print("{:<64}{:>12}{:>10}  {}\n", what, wanted, reached, met ? "met" : "missed");
}

void print_bar(const std::vector<Row>& rows, std::string_view what, const Which& which, Form over, Form under,
               double bar, bool at_least) {
  const Mean mean = geometric_mean(rows, which, over, under);
  if (mean.count == 0) return;
  print_bar(what, fmt::format("{} {:.2f}", at_least ? ">=" : "<=", bar), number(mean.value, 2),
            at_least ? mean.value >= bar : mean.value <= bar);
}

// Programs that the kernel runs faster by more than a tenth, in all but its best batches.
std::vector<std::string> slower_than_kernel(const std::vector<Row>& rows) {
  std::vector<std::string> found;
  for (const Row& row : rows) {
    const std::optional<Ratio> slower = ratio(row, Form::Jit, Form::Kernel);
    if (slower && slower->low > 1.1) found.push_back(full_name(row.program));
  }
  return found;
}

double median_compile_time(const std::vector<Row>& rows, std::size_t below) {
  std::vector<double> times;
  for (const Row& row : rows)
    if (row.compile.insns < below) times.push_back(row.compile.nanoseconds);
  if (times.empty()) return 0;
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void print_compile_bars(const std::vector<Row>& rows) {
  constexpr std::size_t kSmall = 100, kLarge = 10'000;
  const double small = median_compile_time(rows, kSmall) / 1000;
  if (small != 0) {
    print_bar("us to compile a program of fewer than 100 instructions (median)", "<  8", number(small, 1), small < 8);
  }
  for (const Row& row : rows) {
    if (row.compile.insns < kLarge) continue;
    const double each = row.compile.nanoseconds / static_cast<double>(row.compile.insns);
    print_bar(fmt::format("ns an instruction to compile {} of them", row.compile.insns), "<  60", number(each, 1),
              each < 60);
  }
}

void print_bars(const std::vector<Row>& rows) {
  print_bar(rows, "jit / native, without maps and helpers", is_pure, Form::Jit, Form::Native, 1.30, false);
  print_bar(rows, "jit / native, everything", all, Form::Jit, Form::Native, 1.30, false);
  print_bar(rows, "switch: jit / native", of_kind("switch"), Form::Jit, Form::Native, 1.50, false);
  print_bar(rows, "calls: jit / native", of_kind("calls"), Form::Jit, Form::Native, 1.40, false);
  print_bar(rows, "kernel / jit, everything", all, Form::Kernel, Form::Jit, 1.25, true);
  print_bar(rows, "maps: kernel / jit", of_kind("maps"), Form::Kernel, Form::Jit, 1.00, true);
  if (geometric_mean(rows, all, Form::Kernel, Form::Jit).count != 0) {
    const std::vector<std::string> slower = slower_than_kernel(rows);
    print_bar("programs slower than in the kernel by more than a tenth", "none", fmt::format("{}", slower.size()),
              slower.empty());
    for (const std::string& name : slower) fmt::print("    {}\n", name);
  }
  print_compile_bars(rows);
}

nlohmann::json json(const Row& row) {
  nlohmann::json made = {{"kind", row.program.kind},
                         {"name", row.program.name},
                         {"insns", row.compile.insns},
                         {"compile_ns", row.compile.nanoseconds}};
  for (std::size_t i = 0; i < kForms; ++i) {
    if (!row.times[i]) continue;
    made["ns"][std::string(name(static_cast<Form>(i)))] = {{"median", median(*row.times[i])},
                                                           {"batches", *row.times[i]}};
  }
  for (const auto& [over, under] : {std::pair(Form::Vector, Form::Native), std::pair(Form::Jit, Form::Native),
                                    std::pair(Form::Interp, Form::Native), std::pair(Form::Kernel, Form::Native),
                                    std::pair(Form::Kernel, Form::Jit)}) {
    if (const std::optional<Ratio> found = ratio(row, over, under))
      made["ratios"][fmt::format("{}/{}", name(over), name(under))] = {
          {"median", found->median}, {"low", found->low}, {"high", found->high}};
  }
  return made;
}

}  // namespace

void print_heading() {
  fmt::print(kColumns, "ns a run", "native", "vector", "jit", "/native", "spread", "interp", "/native", "kernel",
             "/jit", "spread", "insns", "us");
}

void print_row(const Row& row) {
  const auto jit = ratio(row, Form::Jit, Form::Native), kernel = ratio(row, Form::Kernel, Form::Jit);
  fmt::print(kColumns, full_name(row.program), time_of(row, Form::Native),
             middle(ratio(row, Form::Vector, Form::Native)), time_of(row, Form::Jit), middle(jit), spread(jit),
             time_of(row, Form::Interp), middle(ratio(row, Form::Interp, Form::Native)), time_of(row, Form::Kernel),
             middle(kernel), spread(kernel), row.compile.insns, number(row.compile.nanoseconds / 1000, 1));
  std::fflush(stdout);
}

void print_summary(const std::vector<Row>& rows) {
  fmt::print("\n");
  print_heading();
  for (const std::string_view kind : kinds(rows)) print_mean(rows, kind, of_kind(kind));
  print_mean(rows, "without maps and helpers", is_pure);
  print_mean(rows, "everything", all);
  fmt::print("\n");
  print_bars(rows);
}

Result<> write_json(const std::vector<Row>& rows, const std::string& file) {
  nlohmann::json made;
  for (const Row& row : rows) made["programs"].push_back(json(row));
  std::ofstream out(file);
  out << made.dump(2) << '\n';
  if (!out.flush()) return fail(EIO, file + ": cannot be written");
  return {};
}

}  // namespace skep::bench
