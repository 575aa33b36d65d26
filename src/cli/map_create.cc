// skep map create, pin, freeze: maps as objects.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/errno.h"
#include "cli/map_failure.h"
#include "cli/map_flags.h"
#include "cli/map_request.h"
#include "cli/type_source.h"
#include "spec/map_spec.h"
#include "spec/types.h"

namespace skep::cli {
namespace {

using spec::Command;
using spec::MapType;

constexpr MapType kMapTypes[] = {
#define MAP_TYPE_ROW(id, Name, text) MapType::Name,
#include "spec/map_types.def"
#undef MAP_TYPE_ROW
};

struct CreateRequest : MapRequest {
  std::string type, key, value, header, inner, pin;
  std::uint32_t entries = 0;
  std::optional<std::uint32_t> numa_node;
  std::uint64_t extra = 0;
  std::vector<std::string> flags;
  bool hold = false;
};

Expected<MapType> type_of(const std::string& text) {
  std::vector<std::string_view> names;
  for (const MapType type : kMapTypes) {
    if (spec::name(type) == text) return type;
    names.push_back(spec::name(type));
  }
  return give_up(Exit::Usage, fmt::format("--type {}: there are {}", text, fmt::join(names, ", ")));
}

Expected<std::uint32_t> flags_of(const CreateRequest& request) {
  std::uint32_t flags = request.numa_node ? std::uint32_t{spec::kNumaNode} : 0;
  for (const std::string& name : request.flags) {
    const auto flag = map_flag(name);
    if (!flag)
      return give_up(Exit::Usage, fmt::format("--flags {}: there are {}", name, fmt::join(map_flag_names(), ", ")));
    flags |= *flag;
  }
  return flags;
}

// Keys and values: their sizes and, where they were given as types, these.
struct Sides {
  std::uint32_t key_size = 0, value_size = 0;
  std::unique_ptr<btf::Btf> types;  // null: none
  std::uint32_t key_type = 0, value_type = 0;
};

Expected<std::uint32_t> bytes_of_type(const btf::Btf& types, std::uint32_t type, std::string_view name) {
  const auto bytes = type == 0 ? std::nullopt : types.size_of(type);
  if (!bytes) return give_up(Exit::Input, fmt::format("type \"{}\" has no size", name));
  return *bytes;
}

// Types by their names in an object file or in BTF.
Expected<Sides> named_sides(const CreateRequest& request) {
  auto types = read_types(request.types_file);
  if (!types) return std::unexpected(types.error());
  Sides sides;
  const auto find = [&](const std::string& text, std::uint32_t& size, std::uint32_t& type) -> Expected<> {
    if (const auto bytes = number_in(text); bytes || text.empty()) return size = bytes.value_or(0), Expected<>{};
    const auto id = find_type(**types, text);
    if (!id) return give_up(Exit::Input, fmt::format("{}: its BTF has no type \"{}\"", request.types_file, text));
    const auto bytes = bytes_of_type(**types, *id, text);
    if (!bytes) return std::unexpected(bytes.error());
    type = *id, size = *bytes;
    return {};
  };
  if (const Expected<> done = find(request.key, sides.key_size, sides.key_type); !done)
    return std::unexpected(done.error());
  if (const Expected<> done = find(request.value, sides.value_size, sides.value_type); !done)
    return std::unexpected(done.error());
  sides.types = *std::move(types);
  return sides;
}

// Types as C. A size beside a type stands for that many bytes.
Expected<Sides> compiled_sides(const CreateRequest& request) {
  const auto c_text = [](const std::string& text) {
    if (text.empty()) return std::string("u32");
    return number_in(text) ? fmt::format("u8[{}]", text) : text;
  };
  auto compiled = compile_types(c_text(request.key), c_text(request.value), request.header);
  if (!compiled) return std::unexpected(compiled.error());
  Sides sides{.types = std::move(compiled->types), .key_type = compiled->key, .value_type = compiled->value};
  if (!request.key.empty()) {
    const auto bytes = bytes_of_type(*sides.types, sides.key_type, request.key);
    if (!bytes) return std::unexpected(bytes.error());
    sides.key_size = *bytes;
  }
  const auto bytes = bytes_of_type(*sides.types, sides.value_type, request.value);
  if (!bytes) return std::unexpected(bytes.error());
  sides.value_size = *bytes;
  if (request.key.empty()) sides.key_type = 0;
  return sides;
}

Expected<Sides> sides_of(const CreateRequest& request) {
  if (!request.types_file.empty()) return named_sides(request);
  const auto key = number_in(request.key), value = number_in(request.value);
  if ((key || request.key.empty()) && (value || request.value.empty()))
    return Sides{.key_size = key.value_or(0), .value_size = value.value_or(0), .types = nullptr};
  return compiled_sides(request);
}

Expected<Fd> load_types(const BpfCall& bpf, const btf::Btf& types) {
  std::string log(1U << 16, '\0');
  spec::Attr attr{};
  attr.btf_load.btf = address(types.bytes().data());
  attr.btf_load.btf_size = static_cast<std::uint32_t>(types.bytes().size());
  attr.btf_load.btf_log_buf = address(log.data());
  attr.btf_load.btf_log_size = static_cast<std::uint32_t>(log.size());
  attr.btf_load.btf_log_level = 1;
  const long fd = bpf(static_cast<int>(Command::BtfLoad), attr);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  log.resize(std::strlen(log.c_str()));
  return give_up(Exit::Refused,
                 fmt::format("the types are not taken: {}\n{}", std::strerror(static_cast<int>(-fd)), log));
}

Expected<Fd> inner_map(const CreateRequest& request, const BpfCall& bpf) {
  if (request.inner.empty()) return Fd();
  std::vector<std::string> words;
  std::istringstream in(request.inner);
  for (std::string word; in >> word;) words.push_back(word);
  Words rest = words;
  const auto name = take_reference(ObjectKind::Map, rest);
  if (!name) return std::unexpected(name.error());
  auto map = open_map(bpf, *name);
  if (!map) return std::unexpected(map.error());
  return std::move(map->fd);
}

// Why a map may not be made, as far as it can be told.
std::string why_not(const CreateRequest& request, MapType type, const spec::AttrMapCreate& attr, int code) {
  const bool of_maps = type == MapType::ArrayOfMaps || type == MapType::HashOfMaps;
  if (of_maps && request.inner.empty()) return "a map of maps needs --inner MAP, a map such as those it will hold";
  if (code == EPERM) return "this user may not make such maps (CAP_BPF)";
  if (code == E2BIG) return "it would be too large";
  if (code == ENOMEM) return "there is not the memory for it";
  if (code != EINVAL) return "";
  if (request.entries == 0) return "--entries is missing: how many it holds, for ring buffers how many bytes";
  if ((type == MapType::Ringbuf || type == MapType::UserRingbuf) &&
      ((attr.max_entries & (attr.max_entries - 1)) != 0 || attr.max_entries % 4096 != 0))
    return "--entries of a ring buffer are bytes: a power of two and whole pages of 4096";
  if ((type == MapType::LpmTrie) && (attr.map_flags & spec::kNoPrealloc) == 0)
    return "an lpm_trie needs --flags no_prealloc";
  if ((type == MapType::Array || type == MapType::PercpuArray) && attr.key_size != 4)
    return fmt::format("keys of arrays have 4 bytes, not {}", attr.key_size);
  if ((type == MapType::Queue || type == MapType::Stack || type == MapType::BloomFilter) && attr.key_size != 0)
    return fmt::format("maps of type {} have no keys: leave out --key", spec::name(type));
  return fmt::format("maps of type {} cannot have keys of {} bytes, values of {}, {} entries or these flags",
                     spec::name(type), attr.key_size, attr.value_size, attr.max_entries);
}

// A map type that takes no BTF is made without it: libbpf does the same.
bool takes_no_types(long result) { return result == -kNotSupported || result == -EINVAL || result == -EOPNOTSUPP; }

struct Made {
  Fd fd;
  bool untyped = false;  // although there were types
};

Expected<Made> make(const CreateRequest& request, const BpfCall& bpf, MapType type, const Sides& sides,
                    std::uint32_t flags) {
  const auto inner = inner_map(request, bpf);
  if (!inner) return std::unexpected(inner.error());
  Fd types;
  if (sides.types) {
    auto loaded = load_types(bpf, *sides.types);
    if (!loaded) return std::unexpected(loaded.error());
    types = *std::move(loaded);
  }
  spec::Attr attr{};
  attr.map_create.map_type = static_cast<std::uint32_t>(type);
  attr.map_create.key_size = sides.key_size;
  attr.map_create.value_size = sides.value_size;
  attr.map_create.max_entries = request.entries;
  attr.map_create.map_flags = flags;
  attr.map_create.numa_node = request.numa_node.value_or(0);
  attr.map_create.map_extra = request.extra;
  if (*inner) attr.map_create.inner_map_fd = static_cast<std::uint32_t>(inner->get());
  const std::string& name = request.words[0];
  std::memcpy(attr.map_create.map_name, name.c_str(), std::min(name.size(), spec::kObjNameBytes - 1));
  const spec::Attr plain = attr;
  if (types) {
    attr.map_create.btf_fd = static_cast<std::uint32_t>(types.get());
    attr.map_create.btf_key_type_id = sides.key_type;
    attr.map_create.btf_value_type_id = sides.value_type;
  }
  long fd = bpf(static_cast<int>(Command::MapCreate), attr);
  const bool untyped = types && takes_no_types(fd);
  if (untyped) {
    attr = plain;
    fd = bpf(static_cast<int>(Command::MapCreate), attr);
  }
  if (fd >= 0) return Made{Fd(static_cast<int>(fd)), untyped};
  const int code = static_cast<int>(-fd);
  std::string reason = why_not(request, type, attr.map_create, code);
  if (reason.empty()) reason = fmt::format("bpf(2) answers: {}", std::strerror(code));
  return give_up(Exit::Refused, fmt::format("map {} cannot be made: {}", name, reason));
}

// Until somebody asks the tool to end.
void wait_for_the_end() {
  std::fflush(stdout);
  if (::isatty(2) == 1) fmt::print(stderr, "the map is kept until this command ends (Ctrl-C)\n");
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  int caught = 0;
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::sigwait(&signals, &caught);
}

Expected<> create(CreateRequest& request) {
  if (request.words.size() != 1) return give_up(Exit::Usage, "expected one NAME");
  if (request.pin.empty() && !request.hold) {
    return give_up(Exit::Usage,
                   "a map lives no longer than what refers to it: keep it with --pin PATH, or with --hold as "
                   "long as this command runs");
  }
  const auto type = type_of(request.type);
  if (!type) return std::unexpected(type.error());
  const auto flags = flags_of(request);
  if (!flags) return std::unexpected(flags.error());
  const auto sides = sides_of(request);
  if (!sides) return std::unexpected(sides.error());
  const auto bpf = request.bpf();
  if (!bpf) return std::unexpected(bpf.error());
  auto made = make(request, *bpf, *type, *sides, *flags);
  if (!made) return std::unexpected(made.error());
  if (!request.pin.empty())
    if (const Expected<> pinned = pin_at(*bpf, made->fd.get(), request.pin); !pinned) return pinned;
  const auto map = look_at_map(*bpf, std::move(made->fd));
  if (!map) return std::unexpected(map.error());
  if (request.json)
    print_json({{"id", map->info.id},
                {"name", map->info.name},
                {"pinned", request.pin},
                {"typed", !made->untyped && sides->types}});
  if (!request.json) fmt::print("id {}\n", map->info.id);
  if (made->untyped) fmt::print(stderr, "made without types: maps of type {} take none\n", request.type);
  if (request.hold) wait_for_the_end();
  return {};
}

Expected<> pin(MapRequest& request) {
  Words words;
  const auto map = request.open(words, {"PATH"});
  if (!map) return std::unexpected(map.error());
  return pin_at(map->bpf, map->fd.get(), words[0]);
}

Expected<> freeze(MapRequest& request) {
  Words words;
  const auto map = request.open(words, {});
  if (!map) return std::unexpected(map.error());
  spec::Attr attr{};
  attr.elem.map_fd = static_cast<std::uint32_t>(map->fd.get());
  const long error = map->bpf(static_cast<int>(Command::MapFreeze), attr);
  if (error < 0) return std::unexpected(element_failure(*map, {.doing = Doing::Freeze}, error));
  return {};
}

}  // namespace

void declare_map_create(CommandGroup& group) {
  auto [command, request] = declare_map_command<CreateRequest>(group, "create", "Make a map", {"NAME"}, create);
  command.add_option("--type", request.type, "hash, array, lpm_trie ...: `skep feature` lists all")
      ->required()
      ->type_name("TYPE");
  command.add_option("--key", request.key, "what keys are: a number of bytes, a C type, or with --btf a type's name")
      ->type_name("TYPE");
  command
      .add_option("--value", request.value,
                  "what values are, such as 8, u64 or 'struct { u64 packets; char name[16]; }'")
      ->type_name("TYPE");
  command.add_option("--entries", request.entries, "how many it holds at most; of ring buffers, bytes")->type_name("N");
  command.add_option("--pin", request.pin, "keep it under a path: a map lives no longer than what refers to it")
      ->type_name("PATH");
  command.add_flag("--hold", request.hold, "keep it as long as this command runs");
  command.add_option("--flags", request.flags, fmt::format("{}", fmt::join(map_flag_names(), ", ")))
      ->delimiter(',')
      ->type_name("FLAG,...");
  command.add_option("--inner", request.inner, "for a map of maps: a map such as those it will hold")->type_name("MAP");
  command.add_option("--extra", request.extra, "map_extra: hash functions of a bloom filter")->type_name("N");
  command.add_option("--numa-node", request.numa_node, "the memory node it is placed on")->type_name("N");
  command.add_option("--btf", request.types_file, "take the types from FILE, an object file or raw BTF")
      ->type_name("FILE");
  command
      .add_option("--header", request.header, "a header that the C types need: a file, or a name such as linux/ip.h")
      ->type_name("FILE")
      ->excludes("--btf");
}

void declare_map_pin(CommandGroup& group) {
  declare_map_command<MapRequest>(group, "pin", "Keep a map under a path", {"MAP", "PATH"}, pin);
}

void declare_map_freeze(CommandGroup& group) {
  declare_map_command<MapRequest>(group, "freeze", "Let nobody change a map by bpf(2) any more", {"MAP"}, freeze);
}

}  // namespace skep::cli
