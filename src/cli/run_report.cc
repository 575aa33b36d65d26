#include "cli/run_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/map_dump.h"
#include "cli/style.h"
#include "cli/table.h"

namespace skep::cli {
namespace {

using hooks::net::Verdict;

std::string verdict_table(const RunReport& report) {
  Table table({"verdict", "packets", "share", "bytes", "share"});
  for (const Verdict& verdict : hooks::net::verdicts()) {
    const VerdictCount& count = report.verdicts[index_of(verdict)];
    if (count.packets == 0) continue;
    table.add({std::string(verdict.name), grouped(count.packets), share(count.packets, report.packets),
               grouped(count.bytes), share(count.bytes, report.bytes)});
  }
  if (report.unfit != 0) table.add({"not run", grouped(report.unfit), share(report.unfit, report.packets), "", ""});
  table.add({"all", grouped(report.packets), "", grouped(report.bytes), ""});
  return table.text();
}

double per_run(std::uint64_t amount, std::uint64_t runs) {
  return runs == 0 ? 0 : static_cast<double>(amount) / static_cast<double>(runs);
}

std::string engine_lines(const RunReport& report) {
  std::string text;
  for (const EngineReport& engine : report.engines) {
    text +=
        fmt::format("{}: {:.0f} ns per packet", engine.name, per_run(engine.totals.nanoseconds, engine.totals.runs));
    if (engine.totals.instructions != 0)
      text += fmt::format(", {:.1f} instructions per packet", per_run(engine.totals.instructions, engine.totals.runs));
    text += "\n";
  }
  return text;
}

std::string difference_lines(const RunReport& report, const Style& style) {
  if (!report.compared) return "";
  if (report.difference_count == 0) return style.good("no differences") + "\n";
  std::string text = style.bad(fmt::format("{} differences", report.difference_count)) + "\n";
  for (const std::string& difference : report.differences) text += fmt::format("  {}\n", difference);
  if (report.difference_count > report.differences.size())
    text += fmt::format("  {} more\n", report.difference_count - report.differences.size());
  return text;
}

std::string printed_lines(const RunReport& report, const Style& style) {
  if (report.printed.lines.empty()) return "";
  std::string text = "\n" + style.title("printed by the program") + "\n";
  for (const std::string& line : report.printed.lines) text += fmt::format("  {}\n", line);
  if (report.printed.left_out != 0) text += fmt::format("  {} more lines\n", report.printed.left_out);
  return text;
}

nlohmann::json verdict_list(const RunReport& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const Verdict& verdict : hooks::net::verdicts()) {
    const VerdictCount& count = report.verdicts[index_of(verdict)];
    if (count.packets != 0)
      list.push_back({{"verdict", verdict.name}, {"packets", count.packets}, {"bytes", count.bytes}});
  }
  return list;
}

}  // namespace

std::string text(const RunReport& report, bool colour) {
  const Style style = colour ? Style(stdout) : Style::plain();
  std::string out =
      fmt::format("{} ({}) of {} on {}\n", style.title(report.program), report.type, report.object, report.capture);
  for (const std::string& note : report.notes) out += style.faint(note) + "\n";
  out += "\n" + verdict_table(report);
  if (report.unfit != 0) out += style.faint(fmt::format("not run: {}", report.unfit_why)) + "\n";
  out += "\n" + engine_lines(report) + difference_lines(report, style) + printed_lines(report, style);
  for (const MapContents& map : report.maps) {
    out += fmt::format("\n{}\n{}", style.title(fmt::format("map {}", map.shape.name)), dump_text(map, report.types));
  }
  return out;
}

nlohmann::json json(const RunReport& report) {
  nlohmann::json out = {{"object", report.object},          {"program", report.program}, {"type", report.type},
                        {"capture", report.capture},        {"packets", report.packets}, {"bytes", report.bytes},
                        {"verdicts", verdict_list(report)}, {"not_run", report.unfit},   {"notes", report.notes}};
  for (const EngineReport& engine : report.engines) {
    nlohmann::json& one = out["engines"][engine.name];
    one["ns_per_packet"] = per_run(engine.totals.nanoseconds, engine.totals.runs);
    if (engine.totals.instructions != 0)
      one["instructions_per_packet"] = per_run(engine.totals.instructions, engine.totals.runs);
  }
  if (report.compared) {
    out["differences"] = report.differences;
    out["difference_count"] = report.difference_count;
  }
  out["printed"] = report.printed.lines;
  for (const MapContents& map : report.maps) out["maps"][map.shape.name] = dump_json(map, report.types);
  return out;
}

}  // namespace skep::cli
