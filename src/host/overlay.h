// The files of the overlay (wire/overlay.def): what a kernel says of its BPF in /proc and /sys, said of a hive. Those
// that are not the hive's in place of the machine's are not written. Tested by: tests/exec.
#pragma once

#include <string>

#include "base/result.h"
#include "hive/hive.h"

namespace skep::host {

// Into `folder`, which is there. Where the types of the kernel are among them, the hive's are these. Errors: those of
// open(2) and write(2).
Result<> write_overlay(const std::string& folder, hive::Options& options);

}  // namespace skep::host
