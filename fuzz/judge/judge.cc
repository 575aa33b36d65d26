#include "judge/judge.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <mutex>
#include <sstream>

#include "isa/disasm.h"
#include "isa/op.h"
#include "judge/edit.h"
#include "judge/generate.h"
#include "spec/uapi.h"
#include "verifier/explore/verify.h"
#include "verifier/testing_kernel.h"
#include "verifier/testing_maps.h"
#include "verifier/testing_sentences.h"

namespace skep::judge {

namespace testing = verifier::testing;

struct Court::Types {
  testing::FunctionTypes made{prototypes()};
  btf::Btf parsed = btf::Btf::parse(made.bytes()).value();
  Fd fd;
  std::mutex mutex;
  std::map<std::tuple<spec::ProgType, spec::AttachType, spec::MapType>, Fd> of_type;
};

struct Court::Filled {
  std::vector<isa::Insn> insns;
  std::vector<spec::MapView> maps;
  std::vector<spec::MapUse> uses;
  std::vector<btf::FuncInfo> infos;
  btf::Records records() const {
    if (infos.empty()) return {};
    return {std::as_bytes(std::span(infos)), sizeof(btf::FuncInfo), static_cast<std::uint32_t>(infos.size())};
  }
};

namespace {

constexpr std::int32_t kNoDescriptor = 1 << 20;
constexpr std::size_t kLogBytes = std::size_t{1} << 18;  // of a longer log the end is kept
constexpr auto kPatience = std::chrono::milliseconds(100);

// Whatever stands for digits: "R3 invalid mem access", "off=8" and "off=-8" are one kind of sentence.
std::string blanked(std::string_view text) {
  std::string kept;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool sign = text[i] == '-' && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (sign && !kept.empty() && kept.back() == '=') continue;
    if (!digit)
      kept += text[i];
    else if (kept.empty() || kept.back() != '#')
      kept += '#';
  }
  return kept;
}

std::string described(const Opinion& opinion) {
  if (opinion.error == 0) return "accepted";
  return std::to_string(opinion.error) + " " + blanked(opinion.message);
}

// The end of a log: its last sentence, and the last instruction it shows.
void read_end(std::string_view log, Opinion& opinion) {
  bool found = false;
  while (!log.empty()) {
    if (log.back() == '\n') log.remove_suffix(1);
    const std::size_t before = log.rfind('\n');
    const std::size_t start = before == log.npos ? 0 : before + 1;
    const std::string_view line = log.substr(start);
    log = log.substr(0, start);
    std::size_t index = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), index);
    const std::string_view behind = line.substr(static_cast<std::size_t>(rest - line.data()));
    if (error == std::errc{} && (behind.starts_with(": (") || behind.starts_with(": BUG_"))) {
      opinion.insn = static_cast<std::int64_t>(index);
      return;
    }
    const std::string_view sentence = testing::sentence_of(line);
    if (found || sentence.empty()) continue;
    opinion.message = sentence;
    found = true;
  }
}

class Names : public isa::Names {
 public:
  explicit Names(const Program& program) : program_(program) {}
  std::string helper(std::int32_t id) const override {
    const spec::Helper* row = spec::find_helper(static_cast<std::uint32_t>(id));
    return row == nullptr ? "" : "bpf_" + std::string(row->name);
  }
  std::string kfunc(std::int32_t id, std::int16_t) const override {
    const btf::Btf* types = testing::kernel_types();
    const auto number = static_cast<std::uint32_t>(id);
    return types == nullptr || !types->has(number) ? "" : std::string(types->type(number).name());
  }
  std::string map(isa::Op, const isa::Insn& low) const override {
    const auto index = static_cast<std::size_t>(&low - program_.insns.data());
    const auto named = std::ranges::find(program_.maps, index, &MapName::insn);
    return named == program_.maps.end() ? "fd:" + std::to_string(low.imm) : named->name;
  }

 private:
  const Program& program_;
};

}  // namespace

Agreement Judgement::agreement() const {
  if (ours.error == EOPNOTSUPP && theirs.error != EOPNOTSUPP) return Agreement::Unsupported;
  if (ours.error == 0) return theirs.error == 0 ? Agreement::Accepted : Agreement::OnlyWeAccept;
  if (theirs.error == 0) return Agreement::OnlyWeReject;
  const bool same_place = theirs.insn == Opinion::kNowhere || theirs.insn == ours.insn;
  if (!theirs.has_log) return ours.error == theirs.error ? Agreement::Rejected : Agreement::Unlike;
  const bool same = ours.error == theirs.error && ours.message == theirs.message && same_place;
  return same ? Agreement::Rejected : Agreement::Unlike;
}

std::string Judgement::signature() const {
  std::string text = described(ours) + "  |  " + described(theirs);
  const bool same_text = ours.message == theirs.message && ours.error == theirs.error;
  if (agreement() == Agreement::Unlike && same_text) text += "  (elsewhere)";
  return text;
}

Court::Court()
    : types_(std::make_unique<Types>()), rules_(testing::rules_of_running_kernel()), cpus_(testing::possible_cpus()) {
  spec::Attr attr{};
  attr.btf_load.btf = reinterpret_cast<std::uint64_t>(types_->made.bytes().data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(types_->made.bytes().size());
  types_->fd = Fd(static_cast<int>(testing::command(spec::Command::BtfLoad, attr)));
  testing::kernel_types();
  for (const testing::MapShape& shape : testing::kMapShapes) testing::Maps::get().find(shape.name);
}

Court::~Court() = default;

// Maps that may hold programs belong to the type of the first program that names them: each type has its own.
int Court::descriptor(const Program& program, std::string_view name) const {
  using enum spec::MapType;
  const auto& shape = *std::ranges::find(testing::kMapShapes, name, &testing::MapShape::name);
  const bool holds_programs = shape.type == ProgArray || shape.type == Devmap || shape.type == Cpumap;
  if (!holds_programs) return testing::Maps::get().find(name)->fd.get();
  const std::scoped_lock lock(types_->mutex);
  Fd& fd = types_->of_type[{program.type, program.attach, shape.type}];
  if (!fd) {
    spec::Attr attr{};
    attr.map_create.map_type = static_cast<std::uint32_t>(shape.type);
    attr.map_create.key_size = shape.key_size, attr.map_create.value_size = shape.value_size;
    attr.map_create.max_entries = shape.max_entries;
    fd = Fd(static_cast<int>(testing::command(spec::Command::MapCreate, attr)));
  }
  return fd.get();
}

Court::Filled Court::fill(const Program& program) const {
  Filled filled{.insns = program.insns, .maps = {}, .uses = {}, .infos = {}};
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < filled.insns.size(); i += slots_at(program, i)) {
    using enum isa::Op;
    const isa::Op op = isa::decode(filled.insns[i]);
    const auto at = static_cast<std::uint32_t>(i);
    if (op == LdMapIdx || op == LdMapIdxValue) filled.uses.push_back({at, spec::MapUse::kNone, -1, EPROTO});
    if (op != LdMapFd && op != LdMapValue) continue;
    const auto named = std::ranges::find(program.maps, i, &MapName::insn);
    const auto* map = named == program.maps.end() ? nullptr : testing::Maps::get().find(named->name);
    const int fd = map == nullptr ? kNoDescriptor : descriptor(program, named->name);
    filled.insns[i].imm = fd;
    if (map == nullptr) {
      filled.uses.push_back({at, spec::MapUse::kNone, kNoDescriptor, EBADF});
      continue;
    }
    const auto known = std::ranges::find(names, named->name);
    const auto index = static_cast<std::uint32_t>(known - names.begin());
    if (known == names.end()) {
      names.push_back(named->name);
      filled.maps.push_back(map->view);
    }
    filled.uses.push_back({at, index, fd, 0});
  }
  for (const FunctionStart& function : program.functions)
    filled.infos.push_back({static_cast<std::uint32_t>(function.insn), types_->made.id_of(function.name)});
  return filled;
}

Judgement Court::judge(const Program& program) const {
  const Filled filled = fill(program);
  testing::Load load{.type = program.type,
                     .attach = program.attach,
                     .insns = filled.insns,
                     .log_level = 0,
                     .flags = program.flags,
                     .btf_fd = filled.infos.empty() ? 0 : types_->fd.get(),
                     .func_info = filled.records(),
                     .log_bytes = kLogBytes};
  Judgement judgement;
  const auto start = std::chrono::steady_clock::now();
  judgement.theirs.error = testing::ask_kernel(load).error;
  judgement.theirs.has_log = std::chrono::steady_clock::now() - start < kPatience;
  const auto ours = verify(input(program, filled, 0), rules_);
  judgement.theirs.has_log |= ours.result.has_value();  // the reason is wanted, whatever it takes
  if (judgement.theirs.error != 0 && judgement.theirs.has_log) {
    load.log_level = 1;
    read_end(testing::ask_kernel(load).log, judgement.theirs);
  }
  if (ours.result) return judgement;
  judgement.ours = {.error = ours.result.error().code,
                    .message = ours.result.error().message,
                    .insn = static_cast<std::int64_t>(ours.result.error().insn)};
  // The sentence may not be the log's last.
  if (judgement.theirs.has_log && judgement.agreement() == Agreement::Unlike)
    read_end(verify(input(program, filled, 1), rules_).log, judgement.ours);
  return judgement;
}

std::pair<std::string, std::string> Court::logs(const Program& program) const {
  const Filled filled = fill(program);
  const auto said = testing::ask_kernel({.type = program.type,
                                         .attach = program.attach,
                                         .insns = filled.insns,
                                         .flags = program.flags,
                                         .btf_fd = filled.infos.empty() ? 0 : types_->fd.get(),
                                         .func_info = filled.records()});
  return {verify(input(program, filled, spec::kLogStates), rules_).log, said.log};
}

spec::VerifyInput Court::input(const Program& program, const Filled& filled, std::uint32_t log_level) const {
  return {.type = program.type,
          .attach = program.attach,
          .insns = filled.insns,
          .maps = filled.maps,
          .map_uses = filled.uses,
          .flags = program.flags,
          .log_level = log_level,
          .log_limit = std::size_t{1} << 20,
          .kernel_btf = testing::kernel_types(),
          .btf = filled.infos.empty() ? nullptr : &types_->parsed,
          .func_info = filled.records(),
          .possible_cpus = cpus_};
}

Result<Program> from_text(std::string_view text) {
  Program program;
  TRY(const isa::Assembly assembly, isa::assemble(text, testing::HelperNames()));
  program.insns = assembly.insns;
  program.maps = map_names(assembly);
  std::istringstream lines{std::string(text)};
  std::string line, word, type, attach, flags;
  std::size_t insn = 0;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    if (!(words >> word)) continue;
    if (word != ";") {
      std::from_chars(word.data(), word.data() + word.size(), insn);
      continue;
    }
    words >> type >> attach;
    const auto type_found = spec::prog_type(type);
    const auto attach_found = spec::attach_type(attach);
    if (type == "function") {
      const std::size_t next = program.functions.empty() ? 0 : insn + slots_at(program, insn);
      program.functions.push_back({next, attach});
    } else if (type_found && attach_found) {
      program.type = *type_found, program.attach = *attach_found;
      if (words >> flags >> flags) program.flags = static_cast<std::uint32_t>(std::stoul(flags));
    }
  }
  return program;
}

std::string to_text(const Program& program) {
  std::string text = "; " + std::string(spec::name(program.type)) + " " + std::string(spec::name(program.attach));
  if (program.flags != 0) text += " flags " + std::to_string(program.flags);
  text += '\n';
  const isa::PrintOptions options{.text = isa::Text::Source, .code = isa::Show::No, .index_width = 3};
  const Names names(program);
  for (std::size_t i = 0; i < program.insns.size();) {
    for (const FunctionStart& function : program.functions)
      if (function.insn == i) text += "; function " + function.name + "\n";
    i += isa::print(text, program.insns, i, names, options);
  }
  return text;
}

}  // namespace skep::judge
