#include "loader/object.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <ranges>
#include <span>

#include "loader/btf_check.h"
#include "loader/elf_check.h"
#include "loader/log.h"

namespace skep::loader {

struct Object::Handle {
  std::string name;
  bpf_object* object = nullptr;
  std::vector<bpf_program*> programs;
  std::vector<bpf_map*> maps;
  bool loaded = false;

  explicit Handle(std::string file) : name(std::move(file)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    const Log log;
    bpf_object__close(object);
  }
};

namespace {

constexpr std::streamoff kMaxFile = 256 << 20;

std::string or_empty(const char* text) { return text ? text : ""; }

// "there are: a, b" or "there are none".
template <class List, class Name>
std::string there_are(const List& list, Name name) {
  std::vector<std::string> names;
  for (const auto& item : list) names.push_back(name(item));
  return names.empty() ? "this object has none" : fmt::format("this object has: {}", fmt::join(names, ", "));
}

std::string section_of(const bpf_map* map) {
  const std::string name = or_empty(bpf_map__name(map));
  const std::size_t dot = name.find('.');
  return bpf_map__is_internal(map) && dot != std::string::npos ? name.substr(dot) : "";
}

// libbpf would say of a bad file only that relocation failed, and nothing when the object has no relocations.
Result<> check_target_btf(const std::string& path) {
  if (path.empty()) return {};
  TRY(const auto bytes, read_object_file(path));
  if (Result<> fine = check_btf(bytes); !fine) {
    return fail(ENOEXEC,
                fmt::format("{}: expected raw BTF, as /sys/kernel/btf/vmlinux is: {}", path, fine.error().message));
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> read_object_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(errno, fmt::format("{}: {}", path, std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return fail(EINVAL, fmt::format("{}: expected a file, this is not one", path));
  if (status.st_size > kMaxFile)
    return fail(EFBIG, fmt::format("{}: {} bytes are too many for an object file", path, status.st_size));
  std::ifstream file(path, std::ios::binary);
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) return fail(EIO, fmt::format("{}: could not be read", path));
  return bytes;
}

Object::Object(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Object::~Object() = default;
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;

Result<Object> Object::open(const std::string& path, const OpenOptions& options) {
  TRY(const auto bytes, read_object_file(path));
  return open(bytes, path, options);
}

Result<Object> Object::open(Bytes file, const std::string& name, const OpenOptions& options) {
  if (Result<> fine = check_elf(file); !fine) {
    return fail(fine.error().code, fmt::format("{}: {}", name, fine.error().message));
  }
  TRY_VOID(check_target_btf(options.target_btf));
  // libbpf makes map names from the file's, up to its first dot.
  std::string base = name.substr(name.rfind('/') + 1);
  base.resize(std::min(base.find('.'), base.size()));
  if (base.empty()) base = "object";
  bpf_object_open_opts opts{};
  opts.sz = sizeof opts;
  opts.object_name = base.c_str();
  if (!options.target_btf.empty()) opts.btf_custom_path = options.target_btf.c_str();

  const Log log;
  auto handle = std::make_unique<Handle>(name);
  handle->object = bpf_object__open_mem(file.data(), file.size(), &opts);
  if (!handle->object) {
    const int error = errno;
    return fail(ENOEXEC, fmt::format("{}: not an object libbpf can open ({}){}{}", name, std::strerror(error),
                                     log.text().empty() ? "" : "\n", log.text()));
  }
  Object object(std::move(handle));
  object.list();
  return object;
}

void Object::list() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, handle_->object) {
    handle_->programs.push_back(program);
    programs_.push_back({.name = or_empty(bpf_program__name(program)),
                         .section = or_empty(bpf_program__section_name(program)),
                         .type = static_cast<std::uint32_t>(bpf_program__type(program)),
                         .attach_type = static_cast<std::uint32_t>(bpf_program__expected_attach_type(program))});
    if (programs_.back().type == BPF_PROG_TYPE_UNSPEC) bpf_program__set_autoload(program, false);
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, handle_->object) {
    handle_->maps.push_back(map);
    maps_.push_back({.name = or_empty(bpf_map__name(map)),
                     .type = static_cast<std::uint32_t>(bpf_map__type(map)),
                     .key_size = bpf_map__key_size(map),
                     .value_size = bpf_map__value_size(map),
                     .max_entries = bpf_map__max_entries(map),
                     .flags = bpf_map__map_flags(map),
                     .key_type = bpf_map__btf_key_type_id(map),
                     .value_type = bpf_map__btf_value_type_id(map),
                     .section = section_of(map),
                     .pin_path = or_empty(bpf_map__pin_path(map))});
  }
}

Bytes Object::btf() const {
  const struct btf* btf = bpf_object__btf(handle_->object);
  if (!btf) return {};
  std::uint32_t size = 0;
  const void* raw = btf__raw_data(btf, &size);
  return raw ? Bytes(static_cast<const std::byte*>(raw), size) : Bytes();
}

Result<std::size_t> Object::find_program(const std::string& name) const {
  const auto all = [this] {
    return there_are(programs_, [](const Program& p) { return fmt::format("{} ({})", p.name, p.section); });
  };
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < programs_.size(); ++i) {
    if (name.empty() ? programs_[i].type != 0 : programs_[i].name == name) found.push_back(i);
  }
  if (found.size() == 1 || (!name.empty() && !found.empty())) {
    const Program& program = programs_[found[0]];
    if (program.type != 0) return found[0];
    return fail(ENOENT,
                fmt::format("{}: program {} is in section \"{}\", which names no program type; expected one such as "
                            "\"xdp\", \"tc\" or \"socket\"",
                            handle_->name, program.name, program.section));
  }
  if (!name.empty()) return fail(ENOENT, fmt::format("{}: no program \"{}\"; {}", handle_->name, name, all()));
  if (found.empty())
    return fail(ENOENT, fmt::format("{}: no program in a section of known type (\"xdp\", \"tc\", \"socket\" ...); {}",
                                    handle_->name, all()));
  return fail(ENOENT, fmt::format("{}: several programs: choose one with --prog; {}", handle_->name, all()));
}

Result<std::size_t> Object::find_map(const std::string& name) const {
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    if (maps_[i].name == name || (!name.empty() && maps_[i].section == name)) return i;
  }
  return fail(ENOENT, fmt::format("{}: no map \"{}\"; {}", handle_->name, name, there_are(maps_, [](const Map& m) {
                                    return m.section.empty() ? m.name : m.section;
                                  })));
}

MutableBytes Object::initial_value(std::size_t map) {
  if (handle_->loaded) return {};
  std::size_t size = 0;
  const void* value = bpf_map__initial_value(handle_->maps[map], &size);
  return value ? MutableBytes(static_cast<std::byte*>(const_cast<void*>(value)), size) : MutableBytes();
}

std::optional<SectionType> type_of_section(const std::string& section) {
  const Log log;  // libbpf lists all sections there are when it knows none of this name
  bpf_prog_type type = BPF_PROG_TYPE_UNSPEC;
  bpf_attach_type attach_type = BPF_CGROUP_INET_INGRESS;
  for (const std::string& name : {section, section + "/"}) {
    if (libbpf_prog_type_by_name(name.c_str(), &type, &attach_type) == 0)
      return SectionType{.type = static_cast<std::uint32_t>(type),
                         .attach_type = static_cast<std::uint32_t>(attach_type)};
  }
  return std::nullopt;
}

void Object::set_type(std::size_t program, SectionType type) {
  bpf_program* const to = handle_->programs[program];
  bpf_program__set_type(to, static_cast<bpf_prog_type>(type.type));
  bpf_program__set_expected_attach_type(to, static_cast<bpf_attach_type>(type.attach_type));
  bpf_program__set_autoload(to, true);
  programs_[program].type = type.type;
  programs_[program].attach_type = type.attach_type;
}

Result<> Object::reuse_map(std::size_t map, int fd) {
  const Log log;
  const Map& wanted = maps_[map];
  const int error = bpf_map__reuse_fd(handle_->maps[map], fd);
  if (error != 0) return fail(-error, fmt::format("map {} cannot be replaced: {}", wanted.name, std::strerror(-error)));
  const bpf_map* const is = handle_->maps[map];
  if (bpf_map__type(is) != wanted.type || bpf_map__key_size(is) != wanted.key_size ||
      bpf_map__value_size(is) != wanted.value_size) {
    return fail(EINVAL,
                fmt::format("map {} cannot be replaced: type {}, key {} and value {} bytes, expected type {}, key "
                            "{} and value {} bytes",
                            wanted.name, static_cast<std::uint32_t>(bpf_map__type(is)), bpf_map__key_size(is),
                            bpf_map__value_size(is), wanted.type, wanted.key_size, wanted.value_size));
  }
  return {};
}

void Object::leave_pins() {
  for (bpf_map* map : handle_->maps) bpf_map__set_pin_path(map, nullptr);
}

Result<> Object::load() {
  const Log log;
  if (const int error = bpf_object__load(handle_->object); error != 0) {
    return fail(-error, fmt::format("{}: not loaded ({}){}{}", handle_->name, std::strerror(-error),
                                    log.text().empty() ? "" : "\n", log.text()));
  }
  handle_->loaded = true;
  return {};
}

Result<> Object::load_only(std::size_t program, LoadLog* log) {
  for (std::size_t i = 0; i < programs_.size(); ++i) bpf_program__set_autoload(handle_->programs[i], i == program);
  if (log != nullptr) {
    bpf_program__set_log_level(handle_->programs[program], log->level);
    bpf_program__set_log_buf(handle_->programs[program], log->text.data(), log->text.size());
  }
  Result<> loaded = load();
  if (log != nullptr) log->text.resize(strnlen(log->text.data(), log->text.size()));
  return loaded;
}

bool Object::calls(std::size_t program, std::uint32_t helper) const {
  const bpf_program* const code = handle_->programs[program];
  const std::span<const bpf_insn> insns(bpf_program__insns(code), bpf_program__insn_cnt(code));
  return std::ranges::any_of(insns, [helper](const bpf_insn& insn) {
    return insn.code == (BPF_JMP | BPF_CALL) && insn.src_reg == 0 && static_cast<std::uint32_t>(insn.imm) == helper;
  });
}

int Object::program_fd(std::size_t program) const { return bpf_program__fd(handle_->programs[program]); }
int Object::map_fd(std::size_t map) const { return bpf_map__fd(handle_->maps[map]); }

}  // namespace skep::loader
