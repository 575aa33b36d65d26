#include "abi/fdinfo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>

#include "hive/descriptor.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/info.h"

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

void tell_common(int to, int fd, const struct stat& status) noexcept {
  ::dprintf(to, "pos:\t0\nflags:\t0%o\nmnt_id:\t0\nino:\t%llu\n", static_cast<unsigned>(::fcntl(fd, F_GETFL)),
            static_cast<unsigned long long>(status.st_ino));
}

void tell_map(int to, const struct stat& status, const spec::MapInfo& info, bool frozen) noexcept {
  ::dprintf(to, "map_type:\t%u\nkey_size:\t%u\nvalue_size:\t%u\nmax_entries:\t%u\nmap_flags:\t%#x\nmap_extra:\t%#llx\n",
            info.type, info.key_size, info.value_size, info.max_entries, info.map_flags,
            static_cast<unsigned long long>(info.map_extra));
  ::dprintf(to, "memlock:\t%llu\nmap_id:\t%u\nfrozen:\t%d\n",
            static_cast<unsigned long long>(status.st_blocks) * kBlock, info.id, frozen ? 1 : 0);
}

void tell_prog(int to, const spec::ProgInfo& info) noexcept {
  ::dprintf(to, "prog_type:\t%u\nprog_jited:\t%d\nprog_tag:\t", info.type, info.jited_prog_len != 0 ? 1 : 0);
  for (const std::uint8_t byte : info.tag) ::dprintf(to, "%02x", byte);
  const std::uint64_t bytes = (kProgHead + info.xlated_prog_len + kPage - 1) / kPage * kPage;
  ::dprintf(to, "\nmemlock:\t%llu\nprog_id:\t%u\n", static_cast<unsigned long long>(bytes), info.id);
  ::dprintf(to, "run_time_ns:\t%llu\nrun_cnt:\t%llu\nrecursion_misses:\t%llu\nverified_insns:\t%u\n",
            static_cast<unsigned long long>(info.run_time_ns), static_cast<unsigned long long>(info.run_cnt),
            static_cast<unsigned long long>(info.recursion_misses), info.verified_insns);
}

}  // namespace

Fd open_fdinfo(int fd, BpfCall bpf) noexcept {
  struct stat status{};
  std::optional<hive::Identity> identity = hive::from_position(::lseek(fd, 0, SEEK_CUR));
  if (!identity) identity = hive::from_socket(fd);
  if (!identity || ::fstat(fd, &status) != 0) return Fd();
  spec::MapInfo map{};
  spec::ProgInfo prog{};
  const bool is_map = identity->kind == hive::Kind::Map && ask(fd, bpf, map);
  const bool is_prog = identity->kind == hive::Kind::Prog && ask(fd, bpf, prog);
  if (!is_map && !is_prog) return Fd();
  Fd text(::memfd_create("fdinfo", MFD_CLOEXEC));
  if (!text) return text;
  tell_common(text.get(), fd, status);
  if (is_map) tell_map(text.get(), status, map, is_frozen(map.id, bpf));
  if (is_prog) tell_prog(text.get(), prog);
  ::lseek(text.get(), 0, SEEK_SET);
  return text;
}

}  // namespace skep::abi
