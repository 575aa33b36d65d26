// A program that exists, in a hive or in the kernel: what bpf(2) says about it, and what it is made of.
// Tested by: tests/prog_command.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/live_object.h"
#include "isa/insn.h"
#include "spec/info.h"

namespace skep::cli {

struct LiveProgram {
  BpfCall bpf;
  Fd fd;
  spec::ProgInfo info{};
  std::vector<std::uint32_t> map_ids;

  std::string name() const { return text_in(info.name); }
  std::string called() const;  // as messages call it: its name, else its id
  std::string_view type_name() const;
};
Expected<LiveProgram> look_at_program(const BpfCall& bpf, Fd fd);

// Bytes of memory: what the kernel accounts for it; 0 where nobody says.
std::uint64_t memory_bytes(const LiveProgram& program);

// What a program is made of. Everything may be missing: the kernel hides it from those without rights.
struct ProgramContents {
  std::vector<isa::Insn> insns;             // as they run
  std::vector<std::byte> machine_code;      // of all functions, one behind the other
  std::vector<std::uint64_t> symbols;       // where each function's is
  std::vector<std::uint32_t> code_lengths;  // of each function
  std::vector<std::uint64_t> code_lines;    // where the machine code of each line begins
  std::vector<spec::FuncInfo> functions;
  std::vector<spec::LineInfo> lines;
  std::vector<std::string> tags;  // of each function
  std::unique_ptr<btf::Btf> types;
};
Expected<ProgramContents> contents_of(const LiveProgram& program);

}  // namespace skep::cli
