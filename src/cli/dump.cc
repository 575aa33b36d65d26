// skep dump: the instructions of an object's programs as they would be loaded, with their source.
//
// libbpf relocates while it loads, so the object is loaded into a hive that only makes its maps: programs are kept as
// they are handed over and not judged, which shows those no hive would take, too. With --jit they are loaded for good,
// and shown as they were compiled (dump_machine.h).
#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "abi/route.h"
#include "btf/btf.h"
#include "cli/command.h"
#include "cli/dump_machine.h"
#include "cli/instance.h"
#include "cli/jit_options.h"
#include "cli/object_options.h"
#include "cli/source_names.h"
#include "isa/cfg.h"
#include "isa/disasm.h"
#include "spec/commands.h"
#include "spec/info.h"

namespace skep::cli {
namespace {

struct Options {
  std::string file, program;
  ObjectOptions object;
  JitOptions jit;
  bool compiled = false, opcodes = false, dot = false, json = false;
};

// A program as BPF_PROG_LOAD gets it.
struct Loaded {
  std::string name;
  std::vector<isa::Insn> insns;
  std::vector<spec::FuncInfo> functions;
  std::vector<spec::LineInfo> lines;
};

template <class T>
std::vector<T> records(std::uint64_t address, std::uint32_t count, std::uint32_t size) {
  std::vector<T> list(address != 0 && size >= sizeof(T) ? count : 0);
  const auto* from = reinterpret_cast<const std::byte*>(address);
  for (std::size_t i = 0; i < list.size(); ++i) list[i] = load<T>(from + i * size);
  return list;
}

// Keeps the programs of the object; everything else is the hive's.
class Recorder final : public abi::Answerer {
 public:
  Recorder(hive::Hive& hive, const loader::Object& object) : hive_(hive), object_(object) {}

  long bpf(int command, void* attr, unsigned size) noexcept override {
    if (command == static_cast<int>(spec::Command::ProgLoad)) {
      spec::Attr ours{};
      std::memcpy(&ours, attr, std::min<std::size_t>(size, sizeof ours));
      if (is_of_object(ours.prog_load)) return keep(ours.prog_load);
    }
    hive::LocalCaller caller;
    const long result = hive_.call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
    return result < 0 && on_kept_program(command) ? 0 : result;
  }

  const std::vector<Loaded>& programs() const { return programs_; }

 private:
  static std::string_view name_of(const spec::AttrProgLoad& load) {
    return {load.prog_name, strnlen(load.prog_name, sizeof load.prog_name)};
  }
  // libbpf also loads programs of its own, to see what is possible.
  bool is_of_object(const spec::AttrProgLoad& load) const {
    return std::ranges::any_of(object_.programs(), [&](const loader::Program& p) {
      return p.type == load.prog_type && p.name.substr(0, spec::kObjNameBytes - 1) == name_of(load);
    });
  }
  // What is done with a program's descriptor, which is none here.
  static bool on_kept_program(int command) {
    return command == static_cast<int>(spec::Command::ProgBindMap) ||
           command == static_cast<int>(spec::Command::MapUpdateElem);
  }
  long keep(const spec::AttrProgLoad& load) {
    programs_.push_back(
        {.name = std::string(name_of(load)),
         .insns = records<isa::Insn>(load.insns, load.insn_cnt, sizeof(isa::Insn)),
         .functions = records<spec::FuncInfo>(load.func_info, load.func_info_cnt, load.func_info_rec_size),
         .lines = records<spec::LineInfo>(load.line_info, load.line_info_cnt, load.line_info_rec_size)});
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  hive::Hive& hive_;
  const loader::Object& object_;
  std::vector<Loaded> programs_;
};

class ProgramNames final : public SourceNames {
 public:
  ProgramNames(const Loaded& program, const loader::Object& object, const btf::Btf* types)
      : SourceNames(program.functions, program.lines, types), object_(object) {}

  std::string map(isa::Op, const isa::Insn& low) const override {
    for (std::size_t i = 0; i < object_.maps().size(); ++i) {
      if (object_.map_fd(i) == low.imm) return object_.maps()[i].name;
    }
    return "";
  }

 private:
  const loader::Object& object_;
};

Exit dump_compiled(const ObjectBytes& file, const Options& options) {
  MachineDumpOptions asked{.program = options.program,
                           .btf = options.object.btf,
                           .hive = {.engine = hive::Engine::Jit},
                           .opcodes = options.opcodes,
                           .json = options.json};
  options.jit.apply(asked.hive);
  const auto done = dump_machine_code(file, asked);
  return done ? Exit::Ok : report(done.error());
}

Exit dump(const Options& options) {
  const auto file = object_bytes(options.file, options.object.cpu);
  if (!file) return report(file.error());
  if (options.compiled) return dump_compiled(*file, options);
  Result<loader::Object> object = loader::Object::open(file->bytes, file->name, {.target_btf = options.object.btf});
  if (!object) return report({Exit::Input, object.error().message});
  if (!options.program.empty()) {
    if (const Result<std::size_t> chosen = object->find_program(options.program); !chosen)
      return report({Exit::Input, chosen.error().message});
  }
  Result<std::unique_ptr<hive::Hive>> hive = hive::Hive::create({});
  if (!hive) return report({Exit::Unavailable, hive.error().message});
  Recorder recorder(**hive, *object);
  const Result<> loaded = [&] {
    const abi::Target target = abi::use(recorder);
    return object->load();
  }();
  if (!loaded && recorder.programs().empty()) return report({Exit::Refused, loaded.error().message});
  const Result<btf::Btf> types = btf::Btf::parse(object->btf());
  nlohmann::json list = nlohmann::json::array();
  for (const Loaded& program : recorder.programs()) {
    if (!options.program.empty() && program.name != options.program.substr(0, spec::kObjNameBytes - 1)) continue;
    const ProgramNames names(program, *object, types ? &*types : nullptr);
    if (options.json) {
      list.push_back({{"program", program.name}, {"instructions", insns_json(program.insns, names, {})}});
    } else if (options.dot) {
      fmt::print("{}", isa::to_dot(isa::make_cfg(program.insns), program.insns, names));
    } else {
      const auto bytes = options.opcodes ? isa::Show::Yes : isa::Show::No;
      fmt::print("{}\n", isa::disassemble(program.insns, names, {.bytes = bytes}));
    }
  }
  if (options.json) fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return Exit::Ok;
}

}  // namespace

void declare_dump(Program& program) {
  CLI::App* command = program.app.add_subcommand("dump", "Print a program's instructions with their source");
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->file, "C source (.c), compiled with clang-19, or an object file")->required();
  command->add_option("--prog", options->program, "only this program")->type_name("NAME");
  command->add_flag("--opcodes", options->opcodes, "also each instruction's bytes");
  command->add_flag("--dot", options->dot, "the control flow as a graph for Graphviz");
  command
      ->add_flag("--jit", options->compiled,
                 "as compiled for this processor: source, instructions and machine code side by side; the programs are "
                 "verified first")
      ->excludes("--dot");
  add_jit_options(*command, options->jit);
  add_object_options(*command, options->object);
  command->add_flag("--json", options->json, "as JSON");
  command->callback([&program, options] { program.chosen = [options] { return dump(*options); }; });
}

}  // namespace skep::cli
