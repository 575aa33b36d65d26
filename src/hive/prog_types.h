// What BPF_PROG_LOAD asks of each program type before it looks at the instructions: privileges, attach types.
// Source: tried on Linux 6.18; unchanged since 6.9. Tested by: hive/prog_load_test.cc (against the running kernel).
#pragma once

#include <cstdint>

#include "hive/hive.h"
#include "spec/types.h"

namespace skep::hive {

bool permitted(spec::ProgType type, const Privilege& privilege) noexcept;
// The attach type that 0 stands for: programs of before attach types were asked for.
std::uint32_t default_attach_type(spec::ProgType type, std::uint32_t attach_type) noexcept;
bool takes_attach_type(spec::ProgType type, std::uint32_t attach_type) noexcept;
// Whether programs of this type are attached to a function or the like in the kernel's BTF.
bool attaches_to_btf(spec::ProgType type) noexcept;

}  // namespace skep::hive
