// What the kernel says in /proc/self/fdinfo of a descriptor of a map, program or link, said of a hive's.
//
// Numbers that bpf(2) does not give are the hive's own: memlock is the memory that a map's file has, and the pages that
// a program's translated instructions take. Whoever preloads gives `bpf`, which asks the hive. Tested by: tests/exec.
#pragma once

#include "base/fd.h"

namespace skep::abi {

using BpfCall = long (*)(int command, void* attr, unsigned size) noexcept;

// A file with the text; invalid when `fd` is none of these.
Fd open_fdinfo(int fd, BpfCall bpf) noexcept;

}  // namespace skep::abi
