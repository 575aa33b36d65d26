#include "maps_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

namespace skep::bench {
namespace {

constexpr const char* kColumns = "{:<36}{:>6}{:>10}{:>10}{:>8}  {:<11}{:>9}  {}\n";

std::string number(std::optional<double> value) {
  if (!value) return "-";
  return fmt::format("{:.{}f}", *value, *value < 100 ? 2 : 0);
}
std::string_view sign(const Bar& bar) { return bar.kind == Bar::Kind::AtMost ? "<=" : ">="; }

nlohmann::json json(const Line& line) {
  nlohmann::json made = {{"name", line.name}, {"unit", line.unit}, {"skep", line.ours}};
  if (line.kernel) made["kernel"] = *line.kernel;
  if (line.reached) made["reached"] = *line.reached;
  if (line.spread) made["spread"] = {{"low", line.spread->low}, {"high", line.spread->high}};
  if (line.bar) made["bar"] = fmt::format("{} {}", sign(*line.bar), line.bar->value);
  if (line.bar && line.reached) made["met"] = line.bar->met(*line.reached);
  return made;
}

}  // namespace

Line time_line(std::string name, const Batches& ours, const std::optional<Batches>& kernel, double bar) {
  Line line{.name = std::move(name), .unit = "ns", .ours = median(ours)};
  if (bar != 0) line.bar = Bar{Bar::Kind::AtMost, bar};
  if (!kernel) return line;
  line.kernel = median(*kernel);
  line.spread = ratio(ours, *kernel);
  line.reached = line.spread->median;
  return line;
}

void print_map_heading() { fmt::print(kColumns, "", "", "skep", "kernel", "ratio", "spread", "bar", ""); }

void print_line(const Line& line) {
  const bool judged = line.bar && line.reached;
  fmt::print(kColumns, line.name, line.unit, number(line.ours), number(line.kernel), number(line.reached),
             line.spread ? fmt::format("{:.2f}-{:.2f}", line.spread->low, line.spread->high) : "",
             line.bar ? fmt::format("{} {:.2f}", sign(*line.bar), line.bar->value) : "",
             !judged                        ? ""
             : line.bar->met(*line.reached) ? "met"
                                            : "missed");
  std::fflush(stdout);
}

void print_map_summary(const std::vector<Line>& lines) {
  std::size_t judged = 0, met = 0;
  for (const Line& line : lines) {
    if (!line.bar || !line.reached) continue;
    ++judged;
    if (line.bar->met(*line.reached)) ++met;
  }
  fmt::print("\nbars met: {} of {}\n", met, judged);
}

Result<> write_json(const std::vector<Line>& lines, const std::string& file) {
  nlohmann::json made;
  for (const Line& line : lines) made["maps"].push_back(json(line));
  std::ofstream out(file);
  out << made.dump(2) << '\n';
  if (!out.flush()) return fail(EIO, file + ": cannot be written");
  return {};
}

}  // namespace skep::bench
