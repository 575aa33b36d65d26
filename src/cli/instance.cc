#include "cli/instance.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "abi/route.h"
#include "btf/btf.h"
#include "cli/map_file.h"
#include "cli/map_reader.h"
#include "cli/style.h"
#include "cli/type_source.h"
#include "hooks/net/direct.h"
#include "hooks/net/test_run.h"
#include "kernel/bpf.h"
#include "loader/compile.h"
#include "spec/commands.h"
#include "spec/helpers.h"

namespace skep::cli {
namespace {

std::string trimmed(std::string_view line) {
  while (line.ends_with('\n')) line.remove_suffix(1);
  return std::string(line);
}

void add_line(Instance::Printed& printed, std::string_view line) {
  if (printed.lines.size() < Instance::kPrintedLines) {
    printed.lines.push_back(trimmed(line));
  } else {
    ++printed.left_out;
  }
}

// Of an instance that is not the kernel's.
hive::Engine hive_engine(EngineKind kind) {
  if (kind == EngineKind::Jit) return hive::Engine::Jit;
  return kind == EngineKind::Interp ? hive::Engine::Interp : hive::Engine::Checked;
}

// The target of this thread's bpf(2) while an object is loaded.
template <class Action>
auto under(hive::Hive* hive, Action action) {
  const abi::Target target = hive ? abi::use(*hive) : abi::use_kernel();
  return action();
}

}  // namespace

std::string_view name(EngineKind kind) noexcept {
  switch (kind) {
    case EngineKind::Checked: return "checked";
    case EngineKind::Interp: return "interp";
    case EngineKind::Jit: return "jit";
    case EngineKind::Kernel: return "kernel";
  }
  return "";
}

std::expected<ObjectBytes, Failure> object_bytes(const std::string& file, const std::string& cpu) {
  if (file.ends_with(".c")) {
    Result<std::vector<std::byte>> object =
        loader::compile(file, {.cpu = cpu, .arguments = {}, .colour = Style(stderr).colour()});
    if (!object) return give_up(Exit::Input, object.error().message);
    return ObjectBytes{file, *std::move(object)};
  }
  Result<std::vector<std::byte>> bytes = loader::read_object_file(file);
  if (!bytes) return give_up(Exit::Input, bytes.error().message);
  return ObjectBytes{file, *std::move(bytes)};
}

Instance::Instance(EngineKind kind, loader::Object object) : kind_(kind), object_(std::move(object)) {
  if (Result<btf::Btf> types = btf::Btf::parse(object_.btf())) types_ = std::make_unique<btf::Btf>(*std::move(types));
}
Instance::~Instance() = default;

std::expected<std::unique_ptr<Instance>, Failure> Instance::load(EngineKind kind, const ObjectBytes& file,
                                                                 const LoadOptions& options) {
  if (kind == EngineKind::Kernel && !kernel::available()) {
    return give_up(Exit::Unavailable, "engine kernel: " + kernel::why_unavailable());
  }
  Result<loader::Object> object = loader::Object::open(file.bytes, file.name, {.target_btf = options.btf});
  if (!object) return give_up(Exit::Input, object.error().message);
  const Result<std::size_t> chosen = object->find_program(options.program);
  if (!chosen) return give_up(Exit::Input, chosen.error().message);
  std::unique_ptr<Instance> instance(new Instance(kind, *std::move(object)));
  instance->program_ = *chosen;
  const auto type = static_cast<spec::ProgType>(instance->program().type);
  const std::optional<hooks::net::Hook> hook = hooks::net::hook_of(type);
  if (!hook) {
    return give_up(Exit::Unavailable,
                   fmt::format("{}: program {} is of type {}; packets can be fed to {}", file.name,
                               instance->program().name, spec::name(type), hooks::net::hooked_types()));
  }
  instance->hook_ = *hook;
  if (auto done = instance->start_hive(options); !done) return std::unexpected(done.error());
  if (auto done = instance->set_variables(options.maps); !done) return std::unexpected(done.error());
  const Result<> loaded = under(instance->hive_.get(), [&] { return instance->object_.load(); });
  if (!loaded) return give_up(Exit::Refused, loaded.error().message);
  if (auto done = instance->fill_maps(options.maps); !done) return std::unexpected(done.error());
  if (kind == EngineKind::Kernel && instance->prints()) instance->trace_ = kernel::TraceLog::begin();
  return instance;
}

std::expected<void, Failure> Instance::start_hive(const LoadOptions& how) {
  if (kind_ == EngineKind::Kernel) return {};
  hive::Options options;
  options.engine = hive_engine(kind_);
  options.verification = how.unverified ? hive::Verification::Skipped : hive::Verification::Required;
  how.jit.apply(options);
  Result<std::unique_ptr<hive::Hive>> hive = hive::Hive::create(options);
  if (!hive) return give_up(Exit::Unavailable, hive.error().message);
  hive_ = *std::move(hive);
  hive_->system().set_trace_sink([this](std::string_view line) { add_line(printed_, line); });
  return {};
}

bool Instance::prints() const {
  return object_.calls(program_, static_cast<std::uint32_t>(spec::HelperId::trace_printk)) ||
         object_.calls(program_, static_cast<std::uint32_t>(spec::HelperId::trace_vprintk));
}

Instance::Printed Instance::printed() const {
  Printed printed = printed_;
  if (trace_) read_trace(printed);
  return printed;
}

void Instance::read_trace(Printed& to) const {
  const auto lines = *trace_ ? (*trace_)->lines() : std::unexpected(trace_->error());
  if (!lines) {
    to.note = "what the program prints is not shown: " + lines.error().message;
    return;
  }
  for (const std::string& line : lines->text) add_line(to, line);
  if (!lines->whole) to.note = "the kernel's trace buffer overwrote earlier lines of the program, or is switched off";
}

std::expected<Instance::RecordType, Failure> Instance::record_type(const std::string& map,
                                                                   const std::string& type) const {
  const Result<std::size_t> found = object_.find_map(map);
  if (!found) return give_up(Exit::Input, "--record: " + found.error().message);
  if (elements_of(object_.maps()[*found].type) != Elements::Records)
    return give_up(Exit::Input, fmt::format("--record: map {} is no ring buffer", map));
  if (const auto id = types_ ? find_type(*types_, type) : std::nullopt) return RecordType{*found, *id};
  return give_up(Exit::Input, fmt::format("--record: the object's BTF has no type \"{0}\"; clang writes the types of "
                                          "global variables, such as: struct {0}* unused __attribute__((unused));",
                                          type));
}

std::expected<void, Failure> Instance::set_variables(const std::vector<MapArgument>& maps) {
  for (const MapArgument& argument : maps) {
    const Result<std::size_t> map = object_.find_map(argument.map);
    if (!map) return give_up(Exit::Input, map.error().message);
    const std::string& section = object_.maps()[*map].section;
    if (section.empty()) continue;
    if (Result<> done = read_variables(argument.file, section, types_.get(), object_.initial_value(*map)); !done) {
      return give_up(Exit::Input, done.error().message);
    }
  }
  return {};
}

std::expected<void, Failure> Instance::fill_maps(const std::vector<MapArgument>& maps) {
  for (const MapArgument& argument : maps) {
    const std::size_t map = *object_.find_map(argument.map);
    if (!object_.maps()[map].section.empty()) continue;
    if (auto done = fill_map(map, argument.file); !done) return done;
  }
  return {};
}

std::expected<void, Failure> Instance::fill_map(std::size_t map, const std::string& file) {
  const loader::Map& about = object_.maps()[map];
  const Elements elements = elements_of(about.type);
  if (elements != Elements::Values && elements != Elements::PerCpu) {
    return give_up(Exit::Input, fmt::format("{}: map {} is of type {}, whose elements have no file form", file,
                                            about.name, spec::name(static_cast<spec::MapType>(about.type))));
  }
  Result<std::vector<MapEntry>> entries = read_entries(file, shape_of(about), types_.get());
  if (!entries) return give_up(Exit::Input, entries.error().message);
  for (std::size_t i = 0; i < entries->size(); ++i) {
    spec::Attr attr{};
    attr.elem.map_fd = static_cast<std::uint32_t>(object_.map_fd(map));
    attr.elem.key = reinterpret_cast<std::uintptr_t>((*entries)[i].key.data());
    attr.elem.value = reinterpret_cast<std::uintptr_t>((*entries)[i].value.data());
    if (const long error = bpf(static_cast<int>(spec::Command::MapUpdateElem), attr); error < 0) {
      return give_up(Exit::Input, fmt::format("{}: entry {}: map {} does not take it: {}", file, i + 1, about.name,
                                              std::strerror(static_cast<int>(-error))));
    }
  }
  return {};
}

long Instance::bpf(int command, spec::Attr& attr) noexcept {
  if (!hive_) return kernel::bpf(command, &attr, sizeof attr);
  hive::LocalCaller caller;
  return hive_->call(caller, command, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr);
}

std::string Instance::engine_note() const {
  const Result<hive::Hive::Program> code = hive_ ? hive_->program(object_.program_fd(program_)) : hive::Hive::Program{};
  return code ? code->note : std::string();
}

std::expected<std::unique_ptr<hooks::net::Engine>, Failure> Instance::engine(How how) {
  const int fd = object_.program_fd(program_);
  const std::string engine_name(name(kind_));
  if (hive_ && how == How::Direct) {
    Result<hive::Hive::Program> code = hive_->program(fd);
    if (!code) return give_up(Exit::Refused, code.error().message);
    return std::make_unique<hooks::net::DirectRun>(engine_name, *hive_, *std::move(code));
  }
  const auto why = [hive = hive_.get()] {
    return hive && hive::Hive::last_failure().kind != exec::Failure::Kind::None ? hive::Hive::last_failure().text()
                                                                                : std::string();
  };
  const auto call = [this](int command, spec::Attr& attr) { return bpf(command, attr); };
  return std::make_unique<hooks::net::TestRun>(engine_name, fd, hook_, call, why);
}

}  // namespace skep::cli
