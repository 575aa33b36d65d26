// What was measured, as a table for people and as JSON for programs.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "engines.h"
#include "measure.h"

namespace skep::bench {

struct Row {
  Program program;
  CompileCost compile;
  std::array<std::optional<Batches>, kForms> times;  // by Form; missing: this machine does not have it
  const std::optional<Batches>& of(Form form) const { return times[static_cast<std::size_t>(form)]; }
};

void print_heading();
void print_row(const Row& row);
// Geometric means by kind and over all, compile times, and the bars with what was reached.
void print_summary(const std::vector<Row>& rows);
Result<> write_json(const std::vector<Row>& rows, const std::string& file);

}  // namespace skep::bench
