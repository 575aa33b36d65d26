// Runs each case on every engine there is, and has them agree.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/cpus.h"
#include "case_file.h"
#include "cli/map_reader.h"
#include "hive/hive.h"
#include "isa/asm.h"
#include "kernel/bpf.h"
#include "spec/context.h"
#include "spec/helpers.h"
#include "spec/uapi.h"

namespace skep::cases {
namespace {

// ---- engines: three answers to bpf(2)

thread_local hive::Hive* current = nullptr;
long call_hive(int command, void* attr, unsigned size) noexcept {
  hive::LocalCaller caller;
  return current->call(caller, command, reinterpret_cast<std::uintptr_t>(attr), size);
}

struct Engine {
  std::string name;
  std::unique_ptr<hive::Hive> hive;  // null: the kernel
  kernel::BpfCall enter() const {
    current = hive.get();
    return hive ? call_hive : kernel::bpf;
  }
};

Engine hive_engine(std::string name, hive::Engine policy, hive::Verification verification) {
  hive::Options options;
  options.engine = policy;
  options.verification = verification;
  Result<std::unique_ptr<hive::Hive>> hive = hive::Hive::create(options);
  EXPECT_TRUE(hive) << hive.error().message;
  return {std::move(name), *std::move(hive)};
}

std::vector<Engine> engines_for(const Case& c) {
  std::vector<Engine> engines;
  // Programs that an engine has to stop, or that no verifier lets through.
  const bool verified = c.stop.empty() && c.no_kernel.empty();
  using enum hive::Verification;
  engines.push_back(hive_engine("checked", hive::Engine::Checked, verified ? Required : Skipped));
  if (!verified) return engines;
  engines.push_back(hive_engine("interp", hive::Engine::Interp, Required));
  engines.push_back(hive_engine("jit", hive::Engine::Jit, Required));
  if (kernel::available()) engines.push_back({"kernel", nullptr});
  return engines;
}

// ---- setting a case up

class HelperNames final : public isa::Symbols {
 public:
  std::optional<std::int32_t> helper(std::string_view name) const override {
    const spec::Helper* found = spec::find_helper(name);
    return found ? std::optional(static_cast<std::int32_t>(found->id)) : std::nullopt;
  }
};

struct Outcome {
  int error = 0;  // of the test run
  std::uint32_t verdict = 0;
  std::vector<std::byte> packet, context;
  std::map<std::string, cli::MapContents> maps;
  std::string why;
};

class Stage {
 public:
  Stage(const Case& c, kernel::BpfCall call) : case_(c), call_(call) {}

  Result<> make() {
    for (const MapDeclaration& map : case_.maps) TRY_VOID(make_map(map));
    for (const auto& [name, text] : case_.programs) {
      if (!name.empty()) TRY_VOID(make_program(name, text));
    }
    const auto main = case_.programs.find("");
    if (main == case_.programs.end()) return fail(EINVAL, "no program");
    TRY_VOID(make_program("", main->second));
    for (const Element& element : case_.put) TRY_VOID(put(element));
    return {};
  }

  Outcome run() {
    Outcome out;
    out.packet.resize(case_.packet.size() + 4096);
    const bool xdp = case_.type == spec::ProgType::Xdp;
    out.context.resize(xdp ? sizeof(spec::XdpMd) : sizeof(spec::SkBuffMd));
    const std::vector<std::byte> context = context_in(out.context.size());
    kernel::TestRun test;
    test.data = case_.packet;
    test.context = context;
    test.data_out = out.packet;
    test.context_out = out.context;
    out.error = kernel::test_run(programs_.at("").get(), test, call_);
    if (out.error == 0) {
      out.verdict = test.verdict;
      out.packet.resize(test.data_out.size());
    } else if (current) {
      out.why = hive::Hive::last_failure().text();
    }
    for (const MapDeclaration& map : case_.maps) out.maps[map.name] = contents(map);
    return out;
  }

 private:
  Result<> make_map(const MapDeclaration& map) {
    const int inner = map.inner.empty() ? 0 : maps_.at(map.inner).get();
    TRY(Fd fd, kernel::create_map({.type = static_cast<std::uint32_t>(map.type),
                                   .key_size = map.key_size,
                                   .value_size = map.value_size,
                                   .max_entries = map.max_entries,
                                   .flags = map.flags,
                                   .name = map.name,
                                   .inner_fd = inner},
                                  call_));
    maps_[map.name] = std::move(fd);
    return {};
  }

  Result<> make_program(const std::string& name, const std::string& text) {
    TRY(isa::Assembly assembly, isa::assemble(text, HelperNames()));
    for (const isa::Reference& reference : assembly.references) {
      const auto map = maps_.find(reference.name);
      if (map == maps_.end()) return fail(EINVAL, "no map " + reference.name);
      assembly.insns[reference.insn].imm = map->second.get();
    }
    TRY(Fd fd, kernel::load_program({.type = static_cast<std::uint32_t>(case_.type),
                                     .insns = std::as_bytes(std::span(assembly.insns)),
                                     .name = "case"},
                                    call_));
    programs_[name] = std::move(fd);
    return {};
  }

  Result<> put(const Element& element) {
    std::vector<std::byte> value = element.value;
    if (!element.object.empty()) {
      const std::string name = element.object.substr(element.object.find(' ') + 1);
      const int fd = element.object.starts_with("prog ") ? programs_.at(name).get() : maps_.at(name).get();
      value.assign(bytes_of(fd).begin(), bytes_of(fd).end());
    }
    const auto map = std::ranges::find(case_.maps, element.map, &MapDeclaration::name);
    if (map == case_.maps.end()) return fail(EINVAL, "no map " + element.map);
    if (const unsigned cpus = cli::value_cpus(static_cast<std::uint32_t>(map->type)); cpus != 0) {
      const std::vector<std::byte> one = value;
      value.assign(round_up(one.size(), 8) * cpus, std::byte{});
      for (unsigned cpu = 0; cpu < cpus; ++cpu)
        std::ranges::copy(one, value.begin() + static_cast<std::ptrdiff_t>(cpu * round_up(one.size(), 8)));
    }
    const int error = kernel::update(maps_.at(element.map).get(), element.key.data(), value.data(), 0, call_);
    return error == 0 ? Result<>{} : fail(-error, fmt::format("put {}: {}", element.map, std::strerror(-error)));
  }

  std::vector<std::byte> context_in(std::size_t size) const {
    std::vector<std::byte> context(size);
    const spec::ContextKind kind = spec::context_of(case_.type);
    if (case_.type == spec::ProgType::Xdp)
      store(context.data() + offsetof(spec::XdpMd, data_end), static_cast<std::uint32_t>(case_.packet.size()));
    for (const auto& [name, value] : case_.context) {
      for (const spec::ContextField& field : spec::fields(kind)) {
        if (field.name == name)
          std::memcpy(context.data() + field.offset, &value, std::min<std::size_t>(field.bytes, sizeof value));
      }
    }
    return context;
  }

  cli::MapContents contents(const MapDeclaration& map) {
    const loader::Map declared{.name = map.name,
                               .type = static_cast<std::uint32_t>(map.type),
                               .key_size = map.key_size,
                               .value_size = map.value_size,
                               .max_entries = map.max_entries,
                               .flags = map.flags,
                               .section = "",
                               .pin_path = ""};
    const auto bpf = [this](int command, spec::Attr& attr) { return call_(command, &attr, sizeof attr); };
    Result<cli::MapContents> read = cli::read_map(bpf, maps_.at(map.name).get(), cli::shape_of(declared));
    EXPECT_TRUE(read) << read.error().message;
    return read ? *std::move(read) : cli::MapContents();
  }

  const Case& case_;
  kernel::BpfCall call_;
  std::map<std::string, Fd> maps_, programs_;
};

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

// ---- what a case says, against one engine

void check_context(const Case& c, const Outcome& out) {
  for (const auto& [name, value] : c.context_out) {
    bool found = false;
    for (const spec::ContextField& field : spec::fields(spec::context_of(c.type))) {
      if (field.name != name) continue;
      std::uint64_t actual = 0;
      std::memcpy(&actual, out.context.data() + field.offset, std::min<std::size_t>(field.bytes, sizeof actual));
      EXPECT_EQ(actual, value) << "context field " << name;
      found = true;
    }
    EXPECT_TRUE(found) << "no context field " << name;
  }
}

void check_maps(const Case& c, const Outcome& out) {
  for (const Element& expected : c.expect) {
    const cli::MapContents& map = out.maps.at(expected.map);
    const auto entry = std::ranges::find(map.entries, expected.key, &cli::MapEntry::key);
    if (map.elements == cli::Elements::Records) {
      EXPECT_TRUE(std::ranges::find(map.records, expected.value) != map.records.end())
          << "record " << hex(expected.value);
    } else if (entry == map.entries.end()) {
      EXPECT_TRUE(expected.value.empty()) << expected.map << ": key " << hex(expected.key) << " is not there";
    } else if (map.elements == cli::Elements::PerCpu) {
      const std::string all = hex(entry->value);
      EXPECT_NE(all.find(hex(expected.value)), std::string::npos) << all;
    } else {
      EXPECT_EQ(hex(entry->value), hex(expected.value)) << expected.map << ": key " << hex(expected.key);
    }
  }
}

void check(const Case& c, const Outcome& out) {
  if (!c.stop.empty()) {
    EXPECT_NE(out.error, 0);
    EXPECT_NE(out.why.find(c.stop), std::string::npos) << out.why;
    return;
  }
  ASSERT_EQ(out.error, 0) << std::strerror(-out.error) << " " << out.why;
  if (c.check_return) {
    EXPECT_EQ(out.verdict, c.returned);
  }
  if (c.check_packet) {
    EXPECT_EQ(hex(out.packet), hex(c.packet_out));
  }
  check_context(c, out);
  check_maps(c, out);
}

// ---- one engine against another

void agree(const std::string& name_a, const Outcome& a, const std::string& name_b, const Outcome& b) {
  SCOPED_TRACE(name_a + " and " + name_b);
  EXPECT_EQ(a.verdict, b.verdict);
  EXPECT_EQ(hex(a.packet), hex(b.packet));
  EXPECT_EQ(hex(a.context), hex(b.context));
  for (const auto& [name, map] : a.maps) {
    for (const std::string& text : cli::differences(name_a, map, name_b, b.maps.at(name), 5)) ADD_FAILURE() << text;
  }
}

class RunCase : public testing::TestWithParam<Case> {};

TEST_P(RunCase, AllEnginesAgree) {
  const Case& c = GetParam();
  SCOPED_TRACE(fmt::format("{}.case:{}: {}", c.file, c.line, c.name));
  // Per-CPU maps are compared CPU by CPU.
  if (const int cpu = ::sched_getcpu(); cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  std::vector<Outcome> outcomes;
  const std::vector<Engine> engines = engines_for(c);
  for (const Engine& engine : engines) {
    SCOPED_TRACE(engine.name);
    Stage stage(c, engine.enter());
    const Result<> made = stage.make();
    ASSERT_TRUE(made) << made.error().message;
    outcomes.push_back(stage.run());
    check(c, outcomes.back());
  }
  for (std::size_t i = 1; i < outcomes.size(); ++i) agree(engines[0].name, outcomes[0], engines[i].name, outcomes[i]);
}

std::vector<Case> all_cases() {
  std::vector<Case> all;
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(SKEP_CASES)) {
    if (entry.path().extension() == ".case") files.insert(entry.path());
  }
  for (const std::filesystem::path& file : files) {
    Result<std::vector<Case>> cases = read_cases(file.string());
    if (!cases) {
      fmt::print(stderr, "{}\n", cases.error().message);
      std::abort();
    }
    all.insert(all.end(), cases->begin(), cases->end());
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  std::string name = fmt::format("{}_{}_{}", info.param.file, info.index, info.param.name);
  std::ranges::replace_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, RunCase, testing::ValuesIn(all_cases()), case_name);

}  // namespace

void PrintTo(const Case& c, std::ostream* os) { *os << c.file << ".case:" << c.line; }

}  // namespace skep::cases
