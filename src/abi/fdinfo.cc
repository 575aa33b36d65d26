#include "abi/fdinfo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "hive/descriptor.h"
#include "maps/region.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/info.h"
#include "spec/types.h"

namespace skep::abi {
namespace {

constexpr std::uint64_t kPage = 4096, kProgHead = 72;  // bytes of the kernel's structure before the instructions
constexpr std::uint64_t kBlock = 512;                  // of st_blocks

template <class Info>
bool ask(int fd, BpfCall bpf, Info& info) noexcept {
  spec::Attr attr{};
  attr.info = {.bpf_fd = static_cast<std::uint32_t>(fd),
               .info_len = sizeof info,
               .info = reinterpret_cast<std::uintptr_t>(&info)};
  return bpf(static_cast<int>(spec::Command::ObjGetInfoByFd), &attr, sizeof attr) == 0;
}

// A frozen map is opened for reading only, whatever is asked for.
bool is_frozen(std::uint32_t map, BpfCall bpf) noexcept {
  spec::Attr attr{};
  attr.id.map_id = map;
  const Fd opened(static_cast<int>(bpf(static_cast<int>(spec::Command::MapGetFdById), &attr, sizeof attr)));
  const auto identity = opened ? hive::from_position(::lseek(opened.get(), 0, SEEK_CUR)) : std::nullopt;
  return identity && identity->access == hive::Access::ReadOnly;
}

// By the map's own memory, so that nobody need be asked; else, where this descriptor cannot be read, by bpf(2).
std::optional<maps::Description> description_of(int fd, std::uint32_t id, BpfCall bpf) noexcept {
  if (const auto said = maps::describe(fd); said && said->id == id) return said;
  spec::MapInfo info{};
  if (!ask(fd, bpf, info)) return std::nullopt;
  return maps::Description{.id = info.id,
                           .type = info.type,
                           .key_size = info.key_size,
                           .value_size = info.value_size,
                           .max_entries = info.max_entries,
                           .flags = info.map_flags,
                           .extra = info.map_extra,
                           .is_frozen = is_frozen(info.id, bpf)};
}

void tell_common(int to, int fd, const struct stat& status) noexcept {
  ::dprintf(to, "pos:\t0\nflags:\t0%o\nmnt_id:\t0\nino:\t%llu\n", static_cast<unsigned>(::fcntl(fd, F_GETFL)),
            static_cast<unsigned long long>(status.st_ino));
}

void tell_map(int to, const struct stat& status, const maps::Description& map) noexcept {
  ::dprintf(to, "map_type:\t%u\nkey_size:\t%u\nvalue_size:\t%u\nmax_entries:\t%u\nmap_flags:\t%#x\nmap_extra:\t%#llx\n",
            map.type, map.key_size, map.value_size, map.max_entries, map.flags,
            static_cast<unsigned long long>(map.extra));
  ::dprintf(to, "memlock:\t%llu\nmap_id:\t%u\nfrozen:\t%d\n",
            static_cast<unsigned long long>(status.st_blocks) * kBlock, map.id, map.is_frozen ? 1 : 0);
}

void tell_tag(int to, const spec::ProgInfo& info) noexcept {
  for (const std::uint8_t byte : info.tag) ::dprintf(to, "%02x", byte);
}

void tell_prog(int to, const spec::ProgInfo& info) noexcept {
  ::dprintf(to, "prog_type:\t%u\nprog_jited:\t%d\nprog_tag:\t", info.type, info.jited_prog_len != 0 ? 1 : 0);
  tell_tag(to, info);
  const std::uint64_t bytes = (kProgHead + info.xlated_prog_len + kPage - 1) / kPage * kPage;
  ::dprintf(to, "\nmemlock:\t%llu\nprog_id:\t%u\n", static_cast<unsigned long long>(bytes), info.id);
  ::dprintf(to, "run_time_ns:\t%llu\nrun_cnt:\t%llu\nrecursion_misses:\t%llu\nverified_insns:\t%u\n",
            static_cast<unsigned long long>(info.run_time_ns), static_cast<unsigned long long>(info.run_cnt),
            static_cast<unsigned long long>(info.recursion_misses), info.verified_insns);
}

// The program with this id; false when it has gone.
bool ask_for(std::uint32_t prog, BpfCall bpf, spec::ProgInfo& info) noexcept {
  spec::Attr attr{};
  attr.id.prog_id = prog;
  const Fd opened(static_cast<int>(bpf(static_cast<int>(spec::Command::ProgGetFdById), &attr, sizeof attr)));
  return opened && ask(opened.get(), bpf, info);
}

void tell_link(int to, int fd, BpfCall bpf) noexcept {
  char name[64] = {};
  spec::LinkInfo info{};
  spec::ProgInfo prog{};
  info.iter.target_name = reinterpret_cast<std::uintptr_t>(name);
  info.iter.target_name_len = sizeof name;
  if (!ask(fd, bpf, info) || !ask_for(info.prog_id, bpf, prog)) return;
  const std::string_view type = spec::name(spec::LinkType{info.type});
  ::dprintf(to, "link_type:\t%.*s\nlink_id:\t%u\nprog_tag:\t", static_cast<int>(type.size()), type.data(), info.id);
  tell_tag(to, prog);
  ::dprintf(to, "\nprog_id:\t%u\n", info.prog_id);
  if (spec::LinkType{info.type} == spec::LinkType::Tracing)
    ::dprintf(to, "attach_type:\t%u\ntarget_obj_id:\t%u\ntarget_btf_id:\t%u\n", info.tracing.attach_type,
              info.tracing.target_obj_id, info.tracing.target_btf_id);
  if (spec::LinkType{info.type} != spec::LinkType::Iter) return;
  ::dprintf(to, "target_name:\t%s\n", name);
  if (info.iter.map_id != 0) ::dprintf(to, "map_id:\t%u\n", info.iter.map_id);
}

}  // namespace

Fd open_fdinfo(int fd, BpfCall bpf) noexcept {
  struct stat status{};
  std::optional<hive::Identity> identity = hive::from_position(::lseek(fd, 0, SEEK_CUR));
  if (!identity) identity = hive::from_socket(fd);
  if (!identity || ::fstat(fd, &status) != 0) return Fd();
  const bool is_map = identity->kind == hive::Kind::Map;
  const auto map = is_map ? description_of(fd, identity->id, bpf) : std::nullopt;
  spec::ProgInfo prog{};
  const bool is_prog = identity->kind == hive::Kind::Prog && ask(fd, bpf, prog);
  const bool is_link = identity->kind == hive::Kind::Link;
  if (!map && !is_prog && !is_link) return Fd();
  Fd text(::memfd_create("fdinfo", MFD_CLOEXEC));
  if (!text) return text;
  tell_common(text.get(), fd, status);
  if (map) tell_map(text.get(), status, *map);
  if (is_prog) tell_prog(text.get(), prog);
  if (is_link) tell_link(text.get(), fd, bpf);
  ::lseek(text.get(), 0, SEEK_SET);
  return text;
}

}  // namespace skep::abi
