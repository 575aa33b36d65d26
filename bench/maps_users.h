// Maps as user space reaches them: bpf(2) of the kernel, bpf(2) answered by a hive in this process, and calls in C++.
#pragma once

#include "maps_programs.h"

namespace skep::bench {

Result<> measure_users(const Plan& plan);
// Every way reads what the others wrote.
Result<> check_users();

}  // namespace skep::bench
