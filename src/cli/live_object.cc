#include "cli/live_object.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>
#include <utility>

#include "base/raw_syscall.h"
#include "cli/progress.h"
#include "spec/info.h"

namespace skep::cli {
namespace {

using spec::Command;

struct Facts {
  std::string_view noun, command;
  Command next_id, fd_by_id;
};
constexpr Facts kFacts[] = {
#define OBJECT_KIND(Name, noun, command, NextId, FdById) {noun, command, Command::NextId, Command::FdById},
#include "cli/object_kinds.def"
#undef OBJECT_KIND
};
const Facts& facts(ObjectKind kind) { return kFacts[std::to_underlying(kind)]; }

constexpr auto kNobody = static_cast<std::uint32_t>(-1);  // no descriptor

// Whether the command takes `fd` as its object, and then finds that its other descriptor is none. Another kind of
// object is EINVAL.
bool is_taken(const BpfCall& bpf, Command command, spec::Attr& attr) { return call(bpf, command, attr) == -EBADF; }

bool is_program(const BpfCall& bpf, int fd) {
  spec::Attr attr{};
  attr.prog_bind_map = {.prog_fd = static_cast<std::uint32_t>(fd), .map_fd = kNobody, .flags = 0};
  return is_taken(bpf, Command::ProgBindMap, attr);
}

bool is_link(const BpfCall& bpf, int fd) {
  spec::Attr attr{};
  attr.link_update.link_fd = static_cast<std::uint32_t>(fd);
  attr.link_update.new_prog_fd = kNobody;
  return is_taken(bpf, Command::LinkUpdate, attr);
}

}  // namespace

std::string_view noun(ObjectKind kind) { return facts(kind).noun; }
std::string_view command_name(ObjectKind kind) { return facts(kind).command; }

Expected<std::vector<std::uint32_t>> object_ids(const BpfCall& bpf, ObjectKind kind) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t last = 0;; last = ids.back()) {
    spec::Attr attr{};
    attr.id.start_id = last;
    const long error = call(bpf, facts(kind).next_id, attr);
    if (error == -ENOENT) return ids;
    if (error < 0) return std::unexpected(unavailable(fmt::format("the {}s cannot be listed", noun(kind)), error));
    ids.push_back(attr.id.next_id);
  }
}

Expected<Fd> object_by_id(const BpfCall& bpf, ObjectKind kind, std::uint32_t id) {
  spec::Attr attr{};
  attr.id.start_id = id;
  const long fd = call(bpf, facts(kind).fd_by_id, attr);
  if (fd == -ENOENT) {
    return give_up(Exit::Absent,
                   fmt::format("no {} has the id {}; `skep {} list` shows all", noun(kind), id, command_name(kind)));
  }
  if (fd < 0) return std::unexpected(unavailable(fmt::format("{} {} cannot be opened", noun(kind), id), fd));
  return Fd(static_cast<int>(fd));
}

Expected<> for_each_object(const BpfCall& bpf, ObjectKind kind, const std::function<Expected<>(Fd)>& visit) {
  const auto ids = object_ids(bpf, kind);
  if (!ids) return std::unexpected(ids.error());
  Progress progress;
  std::size_t seen = 0;
  for (const std::uint32_t id : *ids) {
    progress.show([&] { return fmt::format("{} of {} {}s", seen, ids->size(), noun(kind)); });
    ++seen;
    auto fd = object_by_id(bpf, kind, id);
    if (!fd && fd.error().code == Exit::Absent) continue;  // gone meanwhile
    if (!fd) return std::unexpected(fd.error());
    if (Expected<> done = visit(*std::move(fd)); !done) return done;
  }
  return {};
}

Expected<Fd> pinned_at(const BpfCall& bpf, const std::string& path) {
  spec::Attr attr{};
  attr.obj.pathname = address(path.c_str());
  const long fd = call(bpf, Command::ObjGet, attr);
  if (fd == -ENOENT) return give_up(Exit::Absent, fmt::format("{}: nothing is pinned there", path));
  if (fd < 0) {
    return give_up(Exit::Unavailable,
                   fmt::format("{}: cannot be opened as a pin: {}", path, std::strerror(static_cast<int>(-fd))));
  }
  return Fd(static_cast<int>(fd));
}

ObjectKind pinned_kind(const BpfCall& bpf, int fd) {
  return is_program(bpf, fd) ? ObjectKind::Program : is_link(bpf, fd) ? ObjectKind::Link : ObjectKind::Map;
}

// Asked by the instruction itself: libc's answer for a hive's descriptors is the kernel's (src/abi).
bool is_kernels(int fd) {
  std::array<char, 32> target{};
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  const long length = raw_syscall(SYS_readlinkat, AT_FDCWD, static_cast<long>(address(path.c_str())),
                                  static_cast<long>(address(target.data())), target.size() - 1);
  return length > 0 && std::string_view(target.data()).starts_with("anon_inode:");
}

Expected<> pin_at(const BpfCall& bpf, int fd, const std::string& path) {
  spec::Attr attr{};
  attr.obj.pathname = address(path.c_str());
  attr.obj.bpf_fd = static_cast<std::uint32_t>(fd);
  const long error = call(bpf, Command::ObjPin, attr);
  if (error >= 0) return {};
  const int code = static_cast<int>(-error);
  std::string hint = fmt::format("bpf(2) answers: {}", std::strerror(code));
  if (code == EEXIST) hint = "there is something already";
  if (code == EPERM || code == EINVAL)
    hint += "; paths lie in a BPF file system, as /sys/fs/bpf is, and names have no dots";
  if (code == ENOENT) hint = "there is no such folder, or nothing can be pinned here";
  return give_up(Exit::Refused, fmt::format("{}: cannot be pinned: {}", path, hint));
}

Expected<std::vector<std::byte>> btf_bytes(const BpfCall& bpf, int fd) {
  spec::BtfInfo about{};
  if (const long error = get_info(bpf, fd, about); error < 0)
    return std::unexpected(unavailable("this is no BTF", error));
  std::vector<std::byte> bytes(about.btf_size);
  about = {};
  about.btf = address(bytes.data());
  about.btf_size = static_cast<std::uint32_t>(bytes.size());
  if (const long error = get_info(bpf, fd, about); error < 0)
    return std::unexpected(unavailable("the BTF cannot be read", error));
  return bytes;
}

std::unique_ptr<btf::Btf> types_by_id(const BpfCall& bpf, std::uint32_t btf_id) {
  const auto fd = btf_id == 0 ? Fd() : object_by_id(bpf, ObjectKind::Btf, btf_id);
  if (!fd || !*fd) return nullptr;
  const auto bytes = btf_bytes(bpf, fd->get());
  if (!bytes) return nullptr;
  Result<btf::Btf> types = btf::Btf::parse(*bytes);
  return types ? std::make_unique<btf::Btf>(*std::move(types)) : nullptr;
}

Failure unavailable(std::string_view what, long error) {
  const int code = static_cast<int>(-error);
  std::string hint;
  if (code == EPERM) hint = "; the kernel's objects need root (CAP_BPF, CAP_SYS_ADMIN), a hive's need `skep exec`";
  if (code == ENOSYS) hint = "; there is no bpf(2) here: use a hive, by `skep exec`";
  return {Exit::Unavailable, fmt::format("{}: {}{}", what, std::strerror(code), hint)};
}

}  // namespace skep::cli
