// What was measured of maps: a line each, as a table for people and as JSON for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.h"

namespace skep::bench {

struct Bar {
  enum class Kind : std::uint8_t { AtMost, AtLeast };
  Kind kind = Kind::AtMost;
  double value = 0;
  bool met(double reached) const noexcept { return kind == Kind::AtMost ? reached <= value : reached >= value; }
};

struct Line {
  std::string name, unit;
  double ours = 0;
  std::optional<double> kernel = {};  // missing: there is no kernel to ask
  std::optional<Ratio> spread = {};   // of what the bar is about
  std::optional<double> reached = {};
  std::optional<Bar> bar = {};
};
// Nanoseconds an operation: the bar is about our time over the kernel's. No bar: 0.
Line time_line(std::string name, const Batches& ours, const std::optional<Batches>& kernel, double bar);

void print_map_heading();
void print_line(const Line& line);
void print_map_summary(const std::vector<Line>& lines);  // how many bars are met, and which are not
Result<> write_json(const std::vector<Line>& lines, const std::string& file);

}  // namespace skep::bench
