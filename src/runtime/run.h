// A run of a program: what it takes around Executable::run.
//
// run() opens a section, so that what the program finds stays alive; takes a virtual CPU when the image needs one; and
// counts runs and their time while somebody asked for statistics (BPF_ENABLE_STATS). Cost besides the program: about
// 10 ns; two clock readings more with statistics. Tested by: hive/prog_test_run_test.cc.
#pragma once

#include <atomic>
#include <cstdint>

#include "exec/executable.h"
#include "maps/domain.h"
#include "runtime/epochs.h"

namespace skep::runtime {

// Of one program. Read by OBJ_GET_INFO_BY_FD.
struct Counters {
  std::atomic<std::uint64_t> runs{0};
  std::atomic<std::uint64_t> nanoseconds{0};
};

// What runs in one process share.
struct Surroundings {
  maps::Domain& domain;
  Epochs& epochs;
  std::atomic<int> statistics{0};  // how many ask for them
};

// Runs `code` with `call`, whose context is set; call.program and call.cpu are set here. The program's return value:
// without meaning when call.stopped is set afterwards.
std::uint64_t run(Surroundings& surroundings, const exec::Executable& code, exec::Call& call,
                  Counters& counters) noexcept;

}  // namespace skep::runtime
