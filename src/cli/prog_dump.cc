// skep prog dump: the instructions of a loaded program, as BPF or as machine code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/kernel_symbols.h"
#include "cli/machine_code.h"
#include "cli/prog.h"
#include "cli/source_names.h"
#include "cli/type_source.h"
#include "isa/cfg.h"
#include "isa/op.h"
#include "loader/vmlinux.h"

namespace skep::cli {
namespace {

using Json = nlohmann::ordered_json;

struct DumpRequest : ObjectRequest {
  std::string file;
  bool opcodes = false, line_numbers = false, graph = false;
};

// ---- Names

class LiveNames final : public SourceNames {
 public:
  LiveNames(const LiveProgram& program, const ProgramContents& contents, Places places)
      : SourceNames(contents.functions, contents.lines, contents.types.get(), places), program_(contents) {
    const auto calls_kfunc = [](const isa::Insn& insn) { return isa::decode(insn) == isa::Op::CallKfunc; };
    if (is_kernels(program.fd.get()))
      symbols_ = KernelSymbols::read();
    else if (std::ranges::any_of(contents.insns, calls_kfunc))
      kernel_types_ = read_types(loader::kKernelBtf).value_or(nullptr);
  }

  // A hive tells a helper by its number, the kernel by where it is, from a place that has a name.
  std::string helper(std::int32_t id) const override {
    const std::string name = symbols_.called(id);
    return name.empty() ? SourceNames::helper(id) : name;
  }
  std::string kfunc(std::int32_t id, std::int16_t) const override {
    const auto type = static_cast<std::uint32_t>(id);
    return kernel_types_ && kernel_types_->has(type) ? std::string(kernel_types_->type(type).name())
                                                     : symbols_.called(id);
  }
  std::string at(std::uint64_t address) const { return symbols_.at(address); }
  // "bpf_prog_TAG_NAME", as the kernel calls compiled functions.
  std::string subprog(std::size_t index) const override {
    const auto found = std::ranges::find(program_.functions, index, &spec::FuncInfo::insn_off);
    const auto number = static_cast<std::size_t>(found - program_.functions.begin());
    const std::string name = SourceNames::subprog(index);
    return number < program_.tags.size() ? fmt::format("bpf_prog_{}_{}", program_.tags[number], name) : name;
  }

 private:
  const ProgramContents& program_;
  KernelSymbols symbols_;                   // of the kernel's programs
  std::unique_ptr<btf::Btf> kernel_types_;  // of a hive's, which name kernel functions by their types
};

// ---- Machine code, by functions

struct MachineFunction {
  std::string name, prototype;
  std::uint64_t address = 0;
  Bytes code;
};

std::vector<MachineFunction> functions_of(const LiveProgram& program, const ProgramContents& contents,
                                          const LiveNames& names) {
  std::vector<MachineFunction> list;
  Bytes rest = contents.machine_code;
  for (std::size_t i = 0; i < contents.code_lengths.size() && !rest.empty(); ++i) {
    const Bytes code = rest.first(std::min<std::size_t>(contents.code_lengths[i], rest.size()));
    rest = rest.subspan(code.size());
    const bool known = i < contents.functions.size();
    const std::size_t start = known ? contents.functions[i].insn_off : 0;
    list.push_back({.name = known ? names.subprog(start)
                                  : fmt::format("bpf_prog_{}_{}", tag_text(program.info.tag), program.called()),
                    .prototype = known ? names.prototype(start) : "",
                    .address = i < contents.symbols.size() ? contents.symbols[i] : 0,
                    .code = code});
  }
  return list;
}

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes)
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<unsigned>(byte));
  return text;
}

class MachineDump {
 public:
  MachineDump(const LiveProgram& program, const ProgramContents& contents, const LiveNames& names)
      : contents_(contents), names_(names), functions_(functions_of(program, contents, names)) {}

  void print(bool opcodes) const {
    for (const MachineFunction& function : functions_) {
      if (!function.prototype.empty()) fmt::print("{}:\n", function.prototype);
      fmt::print("{}:\n", function.name);
      for (const MachineInsn& insn : insns_of(function)) {
        if (const std::string line = line_at(function.address + insn.offset); !line.empty()) fmt::print("; {}\n", line);
        fmt::print("{:4x}:  {}\n", insn.offset, insn.text);
        if (opcodes) fmt::print("       {}\n", hex(insn.bytes));
      }
    }
  }
  Json as_json() const {
    Json list = Json::array();
    for (const MachineFunction& function : functions_) {
      Json insns = Json::array();
      for (const MachineInsn& insn : insns_of(function)) {
        Json one = {{"offset", insn.offset}, {"bytes", hex(insn.bytes)}, {"text", insn.text}};
        if (const std::string line = line_at(function.address + insn.offset); !line.empty()) one["source"] = line;
        insns.push_back(std::move(one));
      }
      list.push_back({{"name", function.name},
                      {"address", function.address},
                      {"bytes", function.code.size()},
                      {"instructions", insns}});
    }
    return list;
  }

 private:
  std::vector<MachineInsn> insns_of(const MachineFunction& function) const {
    const auto name_of = [this](std::uint64_t address) {
      const auto found = std::ranges::find(functions_, address, &MachineFunction::address);
      return found != functions_.end() ? found->name : names_.at(address);
    };
    return machine_insns(function.code, function.code, {.address = function.address, .name_of = name_of});
  }
  // The line whose code begins at this address.
  std::string line_at(std::uint64_t address) const {
    const auto found = std::ranges::find(contents_.code_lines, address);
    const auto number = static_cast<std::size_t>(found - contents_.code_lines.begin());
    const bool known = found != contents_.code_lines.end() && number < contents_.lines.size();
    return known ? names_.text_of(contents_.lines[number]) : "";
  }

  const ProgramContents& contents_;
  const LiveNames& names_;
  std::vector<MachineFunction> functions_;
};

// ---- The command

Expected<> write_bytes(const std::string& path, Bytes bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file ? Expected<>{} : give_up(Exit::Input, fmt::format("{}: cannot be written", path));
}

std::unexpected<Failure> nothing_to_show(const LiveProgram& program, bool compiled) {
  const bool is_compiled = program.info.jited_prog_len != 0;
  if (compiled && !is_compiled)
    return give_up(Exit::Unavailable, fmt::format("program {} is not compiled: it is interpreted", program.called()));
  return give_up(Exit::Unavailable,
                 fmt::format("program {} is not shown to this user: it takes root (CAP_BPF, CAP_PERFMON), and the "
                             "kernel's machine code kernel.kptr_restrict below 2",
                             program.called()));
}

Expected<> dump(DumpRequest& request) {
  const std::string& form = request.words[0];
  const bool compiled = form == "jited";
  if (!compiled && form != "xlated")
    return give_up(Exit::Usage, fmt::format("\"{}\": expected xlated or jited, and then the program", form));
  if (compiled && request.graph) return give_up(Exit::Usage, "--visual: only of xlated");
  request.words.erase(request.words.begin());
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  const auto program = open_program(request, *bpf);
  if (!program) return std::unexpected(program.error());
  const auto contents = contents_of(*program);
  if (!contents) return std::unexpected(contents.error());
  if (compiled ? contents->machine_code.empty() : contents->insns.empty()) return nothing_to_show(*program, compiled);
  if (!request.file.empty())
    return write_bytes(request.file,
                       compiled ? Bytes(contents->machine_code) : std::as_bytes(std::span(contents->insns)));
  const LiveNames names(*program, *contents, request.line_numbers ? Places::Full : Places::Short);
  if (compiled) {
    const MachineDump machine(*program, *contents, names);
    if (request.json)
      print_json(machine.as_json());
    else
      machine.print(request.opcodes);
    return {};
  }
  const isa::PrintOptions options{.stage = isa::Stage::Translated,
                                  .bytes = request.opcodes ? isa::Show::Yes : isa::Show::No};
  if (request.graph) {
    fmt::print("{}", isa::to_dot(isa::make_cfg(contents->insns), contents->insns, names, options));
  } else if (request.json) {
    print_json(insns_json(contents->insns, names, options));
  } else {
    fmt::print("{}", isa::disassemble(contents->insns, names, options));
  }
  return {};
}

}  // namespace

void declare_prog_dump(CommandGroup& group) {
  auto [command, request] = declare_object_command<DumpRequest>(
      group, "dump", "Show a program's instructions with their source", {"FORM", "PROG"}, dump);
  command.add_option("--file", request.file, "write the bytes there instead")->type_name("FILE");
  command.add_flag("--opcodes", request.opcodes, "also each instruction's bytes");
  command.add_flag("--linum", request.line_numbers, "source lines with their file, line and column");
  command.add_flag("--visual", request.graph, "the control flow as a graph for Graphviz");
}

}  // namespace skep::cli
