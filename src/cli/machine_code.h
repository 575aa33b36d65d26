// x86-64 machine code as text, Intel's syntax. Decoded with Zydis. Tested by: tests/cli.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace skep::cli {

struct MachineInsn {
  std::uint32_t offset = 0;  // in `within`
  std::span<const std::byte> bytes;
  std::string text;
};

// Where code runs that was copied from there, and what is there besides it.
struct CodePlace {
  std::uint64_t address = 0;                                       // of `within`
  std::function<std::string(std::uint64_t address)> name_of = {};  // empty: not known
};

// The instructions of `code`, a part of `within`. Jumps and calls to within it name their target by its offset
// ("+0x1a"), others by its name or its address. What is no instruction is a ".byte". Without a place the code runs
// where it lies.
std::vector<MachineInsn> machine_insns(std::span<const std::byte> code, std::span<const std::byte> within);
std::vector<MachineInsn> machine_insns(std::span<const std::byte> code, std::span<const std::byte> within,
                                       const CodePlace& place);
// The entries of a jump table, a part of `within`: 32-bit distances from its beginning, each as a ".table" and what it
// leads to.
std::vector<MachineInsn> table_entries(std::span<const std::byte> table, std::span<const std::byte> within);

}  // namespace skep::cli
