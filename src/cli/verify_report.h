// What `skep verify` prints: a table of programs, the same as CSV or JSON, and the differences from an earlier CSV.
//
// The CSV has veristat's names for the columns that both have (file_name, prog_name, verdict, duration in microseconds,
// total_insns, total_states, peak_states), so that either can be compared with the other's. Tested by: tests/verify.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/verified.h"

namespace skep::cli {

struct Row {
  std::string file;  // without folders
  Verified ours;
  std::optional<KernelVerdict> kernel;
  std::vector<double> ratios;  // of our time to the kernel's, by round
};

enum class Details : std::uint8_t { Usual, All };
std::string table_of(const std::vector<Row>& rows, Details details);
// How the two verifiers compare over the programs that both accept.
std::string summary_of(const std::vector<Row>& rows);
std::string csv_of(const std::vector<Row>& rows);
nlohmann::json json_of(const Row& row);

// An earlier CSV by file and program.
struct Earlier {
  std::string verdict;
  unsigned long long insns = 0, states = 0, peak_states = 0;
};
using Baseline = std::map<std::pair<std::string, std::string>, Earlier>;
std::expected<Baseline, Failure> read_baseline(const std::string& file);
// The rows whose verdict or counts differ, and what is only on one side; or a sentence that nothing does.
std::string compared(const std::vector<Row>& rows, const Baseline& earlier);

}  // namespace skep::cli
