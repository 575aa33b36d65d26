// /proc/kallsyms with a hive's compiled functions in it, as the kernel lists its own: their addresses in the process
// that runs them, bpf_prog_TAG_NAME, and the module "[bpf]". Whoever preloads gives `bpf`, which asks the hive.
// Tested by: tests/exec.
#pragma once

#include "abi/fdinfo.h"
#include "base/fd.h"

namespace skep::abi {

// A file with the machine's symbols, opened as `kernel`, and the hive's behind them; invalid when there is none of the
// hive's, or no room.
Fd open_kallsyms(int kernel, BpfCall bpf);

}  // namespace skep::abi
