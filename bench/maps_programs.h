// Maps as programs use them: one object file on skep's compiler, in a hive of this process, and in the running kernel.
#pragma once

#include <functional>
#include <vector>

#include "maps_report.h"
#include "maps_table.h"

namespace skep::bench {

struct Plan {
  std::function<bool(std::string_view name)> asked;  // whether a line of this name is wanted
  double batch_time = kBatchTime;
  std::vector<int> cpus;  // that this process may use
  std::function<void(Line)> found;
};
// The lines of a case that are asked for. Errors name the program.
Result<> measure(const MapCase& map, const Plan& plan);
bool asks_for_any(const MapCase& map, const Plan& plan);
// Every program gives the same on the compiler, the checked interpreter and in the kernel, and goes on with the same.
Result<> check(const MapCase& map);

}  // namespace skep::bench
