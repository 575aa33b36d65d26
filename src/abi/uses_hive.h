// Whether this process has called bpf(2) through the preload library: one that has not has no program to attach.
#pragma once

#include <atomic>

namespace skep::abi {

extern std::atomic<bool> uses_hive;

}  // namespace skep::abi
