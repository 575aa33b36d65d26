// x86-64 machine code as text, Intel's syntax. Decoded with Zydis. Tested by: tests/cli.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace skep::cli {

struct MachineInsn {
  std::uint32_t offset = 0;  // in `within`
  std::span<const std::byte> bytes;
  std::string text;
};

// The instructions of `code`, a part of `within`. Jumps and calls to within it name their target by its offset
// ("+0x1a"), others by its address. What is no instruction is a ".byte". Where the code is a copy, `address` says where
// `within` lies when it runs.
std::vector<MachineInsn> machine_insns(std::span<const std::byte> code, std::span<const std::byte> within,
                                       std::optional<std::uint64_t> address = std::nullopt);
// The entries of a jump table, a part of `within`: 32-bit distances from its beginning, each as a ".table" and what it
// leads to.
std::vector<MachineInsn> table_entries(std::span<const std::byte> table, std::span<const std::byte> within);

}  // namespace skep::cli
