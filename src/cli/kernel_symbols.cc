#include "cli/kernel_symbols.h"

#include <array>
#include <cstdio>
#include <memory>

namespace skep::cli {

KernelSymbols KernelSymbols::read() {
  KernelSymbols symbols;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/kallsyms", "re"), std::fclose);
  if (!file) return symbols;
  unsigned long long address = 0;
  char type = 0;
  std::array<char, 256> name{};
  while (std::fscanf(file.get(), "%llx %c %255s%*[^\n]", &address, &type, name.data()) == 3) {
    if ((type != 't' && type != 'T') || address == 0) continue;
    const auto [entry, is_new] = symbols.names_.try_emplace(address, name.data());
    if (entry->second == "__bpf_call_base" || std::string_view(name.data()) == "__bpf_call_base")
      symbols.base_ = address;
  }
  return symbols;
}

std::string KernelSymbols::called(std::int32_t distance) const {
  return base_ == 0 ? "" : at(base_ + static_cast<std::uint64_t>(std::int64_t{distance}));
}

std::string KernelSymbols::at(std::uint64_t address) const {
  const auto found = names_.find(address);
  return found == names_.end() ? "" : found->second;
}

}  // namespace skep::cli
