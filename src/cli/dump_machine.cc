#include "cli/dump_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "abi/route.h"
#include "cli/machine_code.h"
#include "hive/compiled.h"
#include "isa/disasm.h"
#include "isa/op.h"
#include "kernel/bpf.h"
#include "loader/object.h"
#include "spec/helpers.h"

namespace skep::cli {
namespace {

constexpr int kLeftColumn = 48;  // BPF; the machine code is to its right

using MapNames = std::map<std::uint32_t, std::string>;  // by id

MapNames map_names(hive::Hive& hive, const loader::Object& object) {
  MapNames names;
  const abi::Target target = abi::use(hive);
  for (std::size_t i = 0; i < object.maps().size(); ++i)
    if (const auto info = kernel::map_info(object.map_fd(i), abi::bpf)) names[info->id] = object.maps()[i].name;
  return names;
}

class ImageNames final : public isa::Names {
 public:
  ImageNames(const exec::Image& image, const MapNames& maps) : image_(image), maps_(maps) {}

  std::string helper(std::int32_t id) const override {
    const spec::Helper* found = spec::find_helper(static_cast<std::uint32_t>(id));
    return found ? fmt::format("bpf_{}", found->name) : "";
  }
  std::string kfunc(std::int32_t, std::int16_t) const override { return ""; }
  std::string subprog(std::size_t index) const override {
    const auto found = std::ranges::find(image_.subprograms, index, &exec::Subprogram::start);
    return found == image_.subprograms.end() ? "" : found->name;
  }
  std::string map(isa::Op, const isa::Insn& low) const override {
    const auto found = maps_.find(static_cast<std::uint32_t>(low.imm));
    return found == maps_.end() ? "" : found->second;
  }
  std::string source(std::size_t index) const override {
    const auto line = std::ranges::find(image_.lines, index, &exec::SourceLine::insn);
    if (line == image_.lines.end()) return "";
    const std::string_view text = line->text, file = line->file;
    return fmt::format("{} @ {}:{}", text.substr(std::min(text.find_first_not_of(" \t"), text.size())),
                       file.substr(file.rfind('/') + 1), line->line);
  }

 private:
  const exec::Image& image_;
  const MapNames& maps_;
};

// Instructions that were compiled together, and what became of them.
struct Row {
  std::string title;                // of a prologue, of what functions share, or of a table; else empty
  std::vector<std::size_t> insns;   // indices
  std::span<const std::byte> code;  // may be empty: nobody asked for the result, or it is written with others
  bool is_table = false;            // and no code
};

struct Part {
  std::string name;  // of the function
  std::span<const std::byte> code;
  std::vector<Row> rows;
};

// The code of `program` by functions, their instructions all in order.
class Split {
 public:
  explicit Split(const exec::Executable& program) : insns_(program.image().insns), compiled_(hive::compiled(program)) {}

  std::vector<Part> parts() {
    std::vector<Part> list;
    for (std::size_t i = 0; i < functions_.size(); ++i) {
      const std::size_t end = i + 1 < functions_.size() ? functions_[i + 1].insn : insns_.size();
      list.push_back(part(functions_[i], end));
    }
    return list;
  }

 private:
  Part part(const hive::CompiledFunction& function, std::size_t end) {
    Part made{.name = function.name.empty() ? fmt::format("function_{}", function.insn) : function.name,
              .code = function.code,
              .rows = {}};
    const std::byte* const behind = function.code.data() + function.code.size();
    bool begins = true;
    std::size_t shown = 0;  // instructions below this one
    for (; at_ < pieces_.size() && pieces_[at_].code < behind; ++at_) {
      const std::byte* const next = at_ + 1 < pieces_.size() ? std::min(pieces_[at_ + 1].code, behind) : behind;
      Row row{.title = "", .insns = {}, .code = {pieces_[at_].code, next}, .is_table = is_table(at_)};
      if (begins) {
        row.title = "prologue";
      } else if (pieces_[at_].insn == hive::CompiledPiece::kShared) {
        row.title = "shared by all functions";
      } else if (row.is_table) {
        row.title = "jump table";
      } else if (pieces_[at_].insn < shown) {
        row.title = fmt::format("{} where it cannot do without the call", pieces_[at_].insn);
      } else {
        row.insns = insns_until(pieces_[at_].insn, next_insn(end));
        shown = pieces_[at_].insn + 1;
      }
      begins = false;
      if (!row.title.empty() && row.code.empty()) continue;
      made.rows.push_back(std::move(row));
    }
    return made;
  }
  bool is_table(std::size_t piece) const { return pieces_[piece].insn == hive::CompiledPiece::kTable; }
  std::size_t next_insn(std::size_t end) const {  // what is no instruction's comes behind all of them
    if (at_ + 1 == pieces_.size() || pieces_[at_ + 1].insn < pieces_[at_].insn) return end;
    return std::min<std::size_t>(pieces_[at_ + 1].insn, end);
  }
  std::vector<std::size_t> insns_until(std::size_t from, std::size_t end) const {
    std::vector<std::size_t> list;
    for (std::size_t i = from; i < end; i += isa::slots(isa::decode(insns_[i]))) list.push_back(i);
    return list;
  }

  const std::vector<isa::Insn>& insns_;
  const hive::Compiled compiled_;
  const std::vector<hive::CompiledFunction>& functions_ = compiled_.functions;
  const std::vector<hive::CompiledPiece>& pieces_ = compiled_.pieces;
  std::size_t at_ = 0;
};

// ---- How it is told

class Printer {
 public:
  Printer(const exec::Executable& program, const MapNames& maps, const MachineDumpOptions& options)
      : insns_(program.image().insns),
        names_(program.image(), maps),
        options_(options),
        parts_(Split(program).parts()) {
    within_ = {parts_.front().code.data(), parts_.back().code.data() + parts_.back().code.size()};
  }

  void print(std::string_view program) const {
    fmt::print("{}: {} instructions, {} bytes of machine code\n", program, insns_.size(), within_.size());
    for (const Part& part : parts_) {
      fmt::print("{}:\n", part.name);
      for (const Row& row : part.rows) print(row);
      fmt::print("\n");
    }
  }

  nlohmann::json as_json(std::string_view program) const {
    nlohmann::json functions = nlohmann::json::array();
    for (const Part& part : parts_) {
      nlohmann::json pieces = nlohmann::json::array();
      for (const Row& row : part.rows) pieces.push_back(as_json(row));
      functions.push_back({{"name", part.name},
                           {"address", reinterpret_cast<std::uintptr_t>(part.code.data())},
                           {"bytes", part.code.size()},
                           {"pieces", pieces}});
    }
    return {{"program", program}, {"bytes", within_.size()}, {"functions", functions}};
  }

 private:
  static std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    return text;
  }

  std::vector<MachineInsn> machine(const Row& row) const {
    return row.is_table ? table_entries(row.code, within_) : machine_insns(row.code, within_);
  }

  void print(const Row& row) const {
    std::vector<std::string> left, right;
    if (!row.title.empty()) left.push_back(fmt::format("      ({})", row.title));
    for (const std::size_t insn : row.insns) {
      if (const std::string line = names_.source(insn); !line.empty()) {
        if (left.empty())
          fmt::print("; {}\n", line);
        else
          left.push_back("; " + line);  // within what was compiled together
      }
      left.push_back(fmt::format("{:4}: {}", insn, isa::to_text(insns_, insn, names_)));
    }
    for (const MachineInsn& machine : machine(row))
      right.push_back(options_.opcodes
                          ? fmt::format("{:6x}  {:<24}{}", machine.offset, hex(machine.bytes), machine.text)
                          : fmt::format("{:6x}  {}", machine.offset, machine.text));
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      const std::string_view bpf = i < left.size() ? std::string_view(left[i]) : "";
      if (i < right.size())
        fmt::print("{:<{}} {}\n", bpf, kLeftColumn, right[i]);
      else
        fmt::print("{}\n", bpf);
    }
  }

  nlohmann::json as_json(const Row& row) const {
    nlohmann::json bpf = nlohmann::json::array(), machine = nlohmann::json::array();
    for (const std::size_t insn : row.insns) {
      nlohmann::json one = {{"index", insn}, {"text", isa::to_text(insns_, insn, names_)}};
      if (const std::string line = names_.source(insn); !line.empty()) one["source"] = line;
      bpf.push_back(std::move(one));
    }
    for (const MachineInsn& one : this->machine(row))
      machine.push_back({{"offset", one.offset}, {"bytes", hex(one.bytes)}, {"text", one.text}});
    nlohmann::json made = {{"instructions", bpf}, {"machine", machine}};
    if (!row.title.empty()) made["title"] = row.title;
    return made;
  }

  const std::vector<isa::Insn>& insns_;
  ImageNames names_;
  const MachineDumpOptions& options_;
  std::vector<Part> parts_;
  std::span<const std::byte> within_;
};

std::expected<void, Failure> load(hive::Hive& hive, loader::Object& object, const std::string& only) {
  const abi::Target target = abi::use(hive);
  const Result<std::size_t> chosen = only.empty() ? Result<std::size_t>{} : object.find_program(only);
  if (!chosen) return give_up(Exit::Input, chosen.error().message);
  const Result<> loaded = only.empty() ? object.load() : object.load_only(*chosen, nullptr);
  if (!loaded) return give_up(Exit::Refused, loaded.error().message);
  return {};
}

}  // namespace

std::expected<void, Failure> dump_machine_code(const ObjectBytes& object, const MachineDumpOptions& options) {
  if (const auto there = hive::can_compile(); !there) return give_up(Exit::Unavailable, there.error().message);
  Result<std::unique_ptr<hive::Hive>> hive = hive::Hive::create(options.hive);
  if (!hive) return give_up(Exit::Unavailable, hive.error().message);
  Result<loader::Object> opened = loader::Object::open(object.bytes, object.name, {.target_btf = options.btf});
  if (!opened) return give_up(Exit::Input, opened.error().message);
  if (auto loaded = load(**hive, *opened, options.program); !loaded) return loaded;
  const MapNames maps = map_names(**hive, *opened);
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < opened->programs().size(); ++i) {
    if (opened->program_fd(i) < 0) continue;
    const std::string& name = opened->programs()[i].name;
    const Result<hive::Hive::Program> program = (*hive)->program(opened->program_fd(i));
    if (!program) return give_up(Exit::Refused, fmt::format("{}: {}", name, program.error().message));
    if (!program->note.empty()) return give_up(Exit::Unavailable, fmt::format("{}: {}", name, program->note));
    const Printer printer(*program->code, maps, options);
    if (options.json)
      list.push_back(printer.as_json(name));
    else
      printer.print(name);
  }
  if (options.json) fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return {};
}

}  // namespace skep::cli
