#include "cli/verify_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <numeric>
#include <ranges>

#include "cli/table.h"

namespace skep::cli {
namespace {

using Microseconds = std::chrono::duration<double, std::micro>;

std::string time_text(std::chrono::nanoseconds time) {
  const double us = Microseconds(time).count();
  return us < 10'000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}
std::string memory_text(std::size_t size) {
  return size < (10U << 20) ? fmt::format("{} KiB", (size + 1023) >> 10) : fmt::format("{} MiB", size >> 20);
}
bool asked(const Verified& program) { return program.outcome != Outcome::NotAsked; }
std::string number(const Verified& program, unsigned long long value) { return asked(program) ? grouped(value) : "-"; }

std::vector<std::string> header(bool kernel, Details details) {
  std::vector<std::string> names = {"program", "type", "verdict", "insns", "states", "peak", "memory", "time"};
  if (details == Details::All) names.insert(names.end(), {"size", "stack", "states/insn", "mark walk"});
  if (kernel) names.insert(names.end(), {"kernel", "insns", "states", "time", "ratio"});
  return names;
}

void add_kernel(std::vector<std::string>& cells, const Row& row) {
  const KernelVerdict& kernel = *row.kernel;
  const double theirs = Microseconds(kernel.duration).count();
  cells.emplace_back(name(kernel.outcome));
  cells.push_back(grouped(kernel.insns));
  cells.push_back(grouped(kernel.states));
  cells.push_back(time_text(kernel.duration));
  cells.push_back(
      theirs > 0 && asked(row.ours) ? fmt::format("{:.2f}", Microseconds(row.ours.duration).count() / theirs) : "-");
}

// ---- CSV

std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> cells;
  for (const auto part : std::views::split(line, ',')) cells.emplace_back(part.begin(), part.end());
  return cells;
}

// "success" is veristat's.
bool is_success(std::string_view verdict) { return verdict == "success" || verdict == name(Outcome::Accepted); }
std::string verdict_cell(Outcome outcome) {
  return std::string(outcome == Outcome::Accepted   ? "success"
                     : outcome == Outcome::Rejected ? "failure"
                                                    : name(outcome));
}

constexpr std::array kColumns = {"file_name", "prog_name", "verdict", "total_insns", "total_states", "peak_states"};

std::unexpected<Failure> not_a_baseline(const std::string& file, const std::string& why) {
  return std::unexpected(Failure{
      Exit::Input, fmt::format("{}: {}; expected the output of `skep verify --csv` or `veristat -o csv`: a line of "
                               "column names (file_name, prog_name, verdict, total_insns, total_states, "
                               "peak_states), then a line per program",
                               file, why)});
}

bool to_number(const std::string& text, unsigned long long& number) {
  if (text == "N/A" || text == "-1") return true;  // veristat's: not measured
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end;
}

std::string change(unsigned long long from, unsigned long long to) {
  if (from == to) return grouped(to);
  const auto difference = static_cast<long long>(to) - static_cast<long long>(from);
  const std::string percent =
      from == 0 ? "" : fmt::format(" ({:+.1f} %)", 100.0 * static_cast<double>(difference) / static_cast<double>(from));
  return fmt::format("{} -> {}{}", grouped(from), grouped(to), percent);
}

}  // namespace

std::string table_of(const std::vector<Row>& rows, Details details) {
  const bool kernel = std::ranges::any_of(rows, [](const Row& row) { return row.kernel.has_value(); });
  Table table(header(kernel, details));
  for (const Row& row : rows) {
    const Verified& p = row.ours;
    std::vector<std::string> cells = {p.program,
                                      p.type,
                                      std::string(name(p.outcome)),
                                      number(p, p.stats.insns_processed),
                                      number(p, p.stats.total_states),
                                      number(p, p.stats.peak_states),
                                      asked(p) ? memory_text(p.stats.peak_bytes) : "-",
                                      asked(p) ? time_text(p.duration) : "-"};
    if (details == Details::All)
      cells.insert(cells.end(), {number(p, p.size), number(p, p.stats.stack_depth),
                                 number(p, p.stats.max_states_per_insn), number(p, p.stats.longest_mark_read_walk)});
    if (row.kernel) add_kernel(cells, row);
    table.add(std::move(cells));
  }
  return table.text();
}

namespace {

constexpr std::uint32_t kLong = 1000, kShort = 100;  // instructions explored, and of the program

struct Comparison {
  std::vector<double> ours, kernel;        // seconds, by program
  double our_insns = 0, kernel_insns = 0;  // explored
  std::vector<double> logarithms;          // of the ratios' product, by round
  void add(const Row& row) {
    ours.push_back(std::chrono::duration<double>(row.ours.duration).count());
    kernel.push_back(std::chrono::duration<double>(row.kernel->duration).count());
    our_insns += row.ours.stats.insns_processed;
    kernel_insns += static_cast<double>(row.kernel->insns);
    if (logarithms.size() < row.ratios.size()) logarithms.resize(row.ratios.size());
    for (std::size_t i = 0; i < row.ratios.size(); ++i) logarithms[i] += std::log(row.ratios[i]);
  }
  static double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }
  static double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
  }
  double mean(std::size_t round) const { return std::exp(logarithms[round] / static_cast<double>(ours.size())); }
  std::string text(std::string_view what) const {
    if (logarithms.empty()) return "";
    std::vector<double> means;
    for (std::size_t i = 0; i < logarithms.size(); ++i) means.push_back(mean(i));
    std::ranges::sort(means);
    return fmt::format(
        "{}: {} programs, time {:.2f} of the kernel's (geometric mean; rounds {:.2f}-{:.2f}), sum of the "
        "fastest {:.2f}, median {:.1f} us (the kernel's {:.1f}), instructions {:.3f}\n",
        what, ours.size(), means[means.size() / 2], means.front(), means.back(), sum(ours) / sum(kernel),
        median(ours) * 1e6, median(kernel) * 1e6, our_insns / kernel_insns);
  }
};

}  // namespace

std::string summary_of(const std::vector<Row>& rows) {
  Comparison all, large, small;
  for (const Row& row : rows) {
    if (!row.kernel || row.ours.outcome != Outcome::Accepted || row.kernel->outcome != Outcome::Accepted) continue;
    if (row.ratios.empty()) continue;
    all.add(row);
    if (row.ours.stats.insns_processed > kLong) large.add(row);
    if (row.ours.size < kShort) small.add(row);
  }
  const std::string text = all.text("all") + large.text(fmt::format("above {} explored instructions", kLong)) +
                           small.text(fmt::format("of less than {} instructions", kShort));
  return text.empty() ? text : "\n" + text;
}

std::string csv_of(const std::vector<Row>& rows) {
  std::string out =
      "file_name,prog_name,verdict,duration,total_insns,total_states,peak_states,max_states_per_insn,"
      "mark_read_max_len,size,stack,peak_bytes\n";
  for (const Row& row : rows) {
    const Verified& p = row.ours;
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", row.file, p.program, verdict_cell(p.outcome),
                       p.duration.count() / 1000, p.stats.insns_processed, p.stats.total_states, p.stats.peak_states,
                       p.stats.max_states_per_insn, p.stats.longest_mark_read_walk, p.size, p.stats.stack_depth,
                       p.stats.peak_bytes);
  }
  return out;
}

namespace {

nlohmann::json as_json(const std::optional<verifier::Place>& place) {
  if (!place) return nullptr;
  return {{"file", place->file}, {"line", place->line}, {"column", place->column}, {"text", place->text}};
}

nlohmann::json as_json(const verifier::Explanation& why) {
  nlohmann::json because = nlohmann::json::array();
  for (const verifier::Because& one : why.because)
    because.push_back({{"insn", one.insn}, {"text", one.text}, {"source", as_json(one.place)}, {"says", one.says}});
  return {{"cause", why.cause},           {"message", why.message}, {"errno", why.code},
          {"function", why.function},     {"insn", why.insn},       {"text", why.text},
          {"source", as_json(why.place)}, {"what", why.what},       {"subject", why.subject},
          {"known", why.known},           {"needed", why.needed},   {"because", because},
          {"missing", why.missing},       {"hint", why.hint}};
}

}  // namespace

nlohmann::json json_of(const Row& row) {
  const Verified& p = row.ours;
  nlohmann::json one = {{"file", row.file},
                        {"program", p.program},
                        {"type", p.type},
                        {"verdict", name(p.outcome)},
                        {"errno", p.code},
                        {"message", p.message},
                        {"insns", p.stats.insns_processed},
                        {"total_states", p.stats.total_states},
                        {"peak_states", p.stats.peak_states},
                        {"max_states_per_insn", p.stats.max_states_per_insn},
                        {"peak_bytes", p.stats.peak_bytes},
                        {"stack", p.stats.stack_depth},
                        {"size", p.size},
                        {"nanoseconds", p.duration.count()}};
  if (p.explanation) one["explanation"] = as_json(*p.explanation);
  if (!p.log.empty()) one["log"] = p.log;
  if (row.kernel)
    one["kernel"] = {{"verdict", name(row.kernel->outcome)},
                     {"errno", row.kernel->code},
                     {"message", row.kernel->message},
                     {"insns", row.kernel->insns},
                     {"total_states", row.kernel->states},
                     {"nanoseconds", std::chrono::nanoseconds(row.kernel->duration).count()}};
  return one;
}

std::expected<Baseline, Failure> read_baseline(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!in || !std::getline(in, line)) return not_a_baseline(file, "cannot be read, or is empty");
  const std::vector<std::string> names = split(line);
  std::array<std::size_t, kColumns.size()> at{};
  for (std::size_t i = 0; i < kColumns.size(); ++i) {
    const auto found = std::ranges::find(names, kColumns[i]);
    if (found == names.end()) return not_a_baseline(file, fmt::format("has no column {}", kColumns[i]));
    at[i] = static_cast<std::size_t>(found - names.begin());
  }
  Baseline earlier;
  for (std::size_t number = 2; std::getline(in, line); ++number) {
    if (line.empty()) continue;
    const std::vector<std::string> cells = split(line);
    if (cells.size() != names.size())
      return not_a_baseline(file, fmt::format("line {} has {} cells, not {}", number, cells.size(), names.size()));
    Earlier one{.verdict = cells[at[2]]};
    if (!to_number(cells[at[3]], one.insns) || !to_number(cells[at[4]], one.states) ||
        !to_number(cells[at[5]], one.peak_states))
      return not_a_baseline(file, fmt::format("line {} has a count that is no number", number));
    earlier[{cells[at[0]], cells[at[1]]}] = one;
  }
  return earlier;
}

std::string compared(const std::vector<Row>& rows, const Baseline& earlier) {
  Table table({"program", "verdict", "insns", "states", "peak"});
  std::size_t differences = 0;
  Baseline gone = earlier;
  const auto add = [&](std::vector<std::string> cells) { table.add(std::move(cells)), ++differences; };
  for (const Row& row : rows) {
    const Verified& p = row.ours;
    const auto was = earlier.find({row.file, p.program});
    gone.erase({row.file, p.program});
    const std::string verdict = verdict_cell(p.outcome);
    if (was == earlier.end()) {
      add({p.program, "new: " + verdict, grouped(p.stats.insns_processed), grouped(p.stats.total_states),
           grouped(p.stats.peak_states)});
      continue;
    }
    const Earlier& old = was->second;
    const bool same_verdict = old.verdict == verdict || (is_success(old.verdict) && is_success(verdict));
    if (same_verdict && old.insns == p.stats.insns_processed && old.states == p.stats.total_states &&
        old.peak_states == p.stats.peak_states)
      continue;
    add({p.program, same_verdict ? verdict : fmt::format("{} -> {}", old.verdict, verdict),
         change(old.insns, p.stats.insns_processed), change(old.states, p.stats.total_states),
         change(old.peak_states, p.stats.peak_states)});
  }
  for (const auto& [key, old] : gone)
    add({key.second, "gone: " + old.verdict, grouped(old.insns), grouped(old.states), grouped(old.peak_states)});
  return differences == 0 ? fmt::format("no differences in {} programs\n", rows.size()) : table.text();
}

}  // namespace skep::cli
