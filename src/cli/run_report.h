// What `skep run` says at its end, for people and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/instance.h"
#include "cli/map_reader.h"
#include "hooks/net/verdict.h"

namespace skep::cli {

struct VerdictCount {
  std::uint64_t packets = 0, bytes = 0;
};

struct EngineReport {
  std::string name;
  hooks::net::Totals totals;
};

struct RunReport {
  std::string object, program, type, capture;
  hooks::net::Hook hook = hooks::net::Hook::Xdp;
  std::uint64_t packets = 0, bytes = 0;  // that were fed
  std::vector<VerdictCount> verdicts;    // by row of hooks::net::verdicts()
  std::uint64_t unfit = 0;               // packets that no program got
  std::string unfit_why;                 // of the first
  std::vector<EngineReport> engines;
  std::vector<std::string> notes;
  bool compared = false;
  std::uint64_t difference_count = 0;
  std::vector<std::string> differences;
  Instance::Printed printed;
  std::vector<MapContents> maps;
  const btf::Btf* types = nullptr;
};

std::string text(const RunReport& report, bool colour);
nlohmann::json json(const RunReport& report);

}  // namespace skep::cli
