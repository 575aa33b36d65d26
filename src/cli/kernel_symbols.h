// The names of the running kernel's functions, for what its programs call.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

namespace skep::cli {

class KernelSymbols {
 public:
  KernelSymbols() = default;  // knows none
  // From /proc/kallsyms; knows none where addresses are hidden.
  static KernelSymbols read();
  // What a call's imm of a loaded program leads to: the distance from __bpf_call_base. Empty: not known.
  std::string called(std::int32_t distance) const;
  // The function that begins at an address. Empty: none, or not known.
  std::string at(std::uint64_t address) const;

 private:
  std::uint64_t base_ = 0;
  std::unordered_map<std::uint64_t, std::string> names_;
};

}  // namespace skep::cli
