// skep-conformance [--checked] [MEMORY] [--elf ...] < INSTRUCTIONS
//
// The plug-in that the runner of the public bpf_conformance project drives: memory as hex bytes in the first argument
// that is no option, instructions as hex bytes on standard input; prints r0 in hex and exits 0, or says on
// standard error what is wrong and exits 1.
#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <string>

#include "interp/conformance.h"

namespace {

std::string read_all(std::FILE* from) {
  std::string text;
  char part[4096];
  while (const std::size_t got = std::fread(part, 1, sizeof part, from)) text.append(part, got);
  return text;
}

skep::Result<std::uint64_t> run(int argc, char** argv) {
  using skep::interp::Policy;
  Policy policy = Policy::Plain;
  std::string_view memory_text;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--checked") policy = Policy::Checked;
    if (argument == "--elf") return skep::fail(ENOTSUP, "instructions in an ELF object are not supported");
    if (!argument.starts_with("--") && memory_text.empty()) memory_text = argument;
  }
  TRY(auto memory, skep::interp::parse_hex(memory_text));
  TRY(const auto bytes, skep::interp::parse_hex(read_all(stdin)));
  TRY(auto insns, skep::interp::parse_insns(bytes));
  return skep::interp::run_vector(std::move(insns), memory, policy);
}

}  // namespace

int main(int argc, char** argv) {
  const auto r0 = run(argc, argv);
  if (!r0) {
    fmt::print(stderr, "skep-conformance: {}\n", r0.error().message);
    return 1;
  }
  fmt::print("{:x}\n", *r0);
  return 0;
}
