// Links: BPF_LINK_CREATE, UPDATE, DETACH. What a link would be to is asked of the caller's target as the kernel asks
// it; then there is one, if programs of a hive do run there, or EOPNOTSUPP.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hive/attach_points.h"
#include "hive/extension.h"
#include "hive/iterator.h"
#include "hive/user_text.h"

namespace skep::hive {
namespace {

using spec::AttachType;
using spec::AttrLinkCreate;
using spec::ProgType;

// ---- What is said of the target, by its kind: 0, or a negative errno.

int check_cgroup(Request& request) {
  constexpr std::uint32_t kFlags = spec::kBefore | spec::kAfter | spec::kId | spec::kAttachLink;
  const AttrLinkCreate& attr = request.attr.link_create;
  if ((attr.flags & ~kFlags) != 0) return -EINVAL;
  return check_cgroup_target(request.caller, static_cast<int>(attr.target_fd));
}

int check_sockmap(Request& request) {
  const AttrLinkCreate& attr = request.attr.link_create;
  if (attr.flags != 0) return -EINVAL;
  const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(attr.target_fd));
  if (!map.object) return -map.error;
  const spec::MapType type = map.object->map->spec().type;
  return type == spec::MapType::Sockmap || type == spec::MapType::Sockhash ? 0 : -EINVAL;
}

int check_hook(const AttrLinkCreate& attr) {
  constexpr std::uint32_t kIpv4 = 2, kIpv6 = 10, kHooks = 5;
  constexpr std::int32_t kFirst = INT32_MIN, kLast = INT32_MAX, kDefrag = -400;
  constexpr std::uint32_t kIpDefrag = 1;
  if (attr.flags != 0) return -EINVAL;
  const AttrLinkCreate::Netfilter& hook = attr.netfilter;
  if (hook.pf != kIpv4 && hook.pf != kIpv6) return -EAFNOSUPPORT;
  if (hook.hooknum >= kHooks) return -EPROTO;
  if ((hook.flags & ~kIpDefrag) != 0) return -EOPNOTSUPP;
  if (hook.priority == kFirst || hook.priority == kLast) return -ERANGE;
  return (hook.flags & kIpDefrag) != 0 && hook.priority <= kDefrag ? -ERANGE : 0;
}

// An array of 64-bit words of the caller's that can be read, and of which none is negative if `unsigned_only`.
enum class Sign : std::uint8_t { Any, NotNegative };
int check_words(Caller& caller, std::uint64_t address, std::uint32_t count, Sign sign) {
  std::array<std::int64_t, 64> words;
  for (std::uint32_t at = 0; at < count;) {
    const std::uint32_t part = std::min<std::uint32_t>(count - at, words.size());
    const auto some = std::span(words).first(part);
    if (!caller.copy_in(address + std::uint64_t{at} * sizeof(std::int64_t), std::as_writable_bytes(some)))
      return -EFAULT;
    if (sign == Sign::NotNegative && std::ranges::any_of(some, [](std::int64_t word) { return word < 0; }))
      return -EINVAL;
    at += part;
  }
  return 0;
}

int check_path(Caller& caller, std::uint64_t address) {
  const Result<std::string> path = read_path(caller, address);
  if (!path) return -path.error().code;
  const Result<Fd> file = caller.open_path(AT_FDCWD, *path, 0);
  if (!file) return -file.error().code;
  struct stat status{};
  return ::fstat(file->get(), &status) == 0 && S_ISREG(status.st_mode) ? 0 : -EBADF;
}

// Places in a file where functions begin, for many uprobes.
int check_file(Request& request) {
  constexpr std::uint32_t kReturn = 1, kMost = 1U << 20;
  const AttrLinkCreate& attr = request.attr.link_create;
  const AttrLinkCreate::UprobeMulti& probes = attr.uprobe_multi;
  if (attr.flags != 0 || (probes.flags & ~kReturn) != 0) return -EINVAL;
  if (probes.path == 0 || probes.offsets == 0 || probes.cnt == 0) return -EINVAL;
  if (probes.cnt > kMost) return -E2BIG;
  if (const int error = check_path(request.caller, probes.path); error != 0) return error;
  const auto process = static_cast<pid_t>(probes.pid);
  if (process < 0 || (process != 0 && ::kill(process, 0) != 0 && errno == ESRCH)) return -ESRCH;
  struct Words {
    std::uint64_t address;
    Sign sign;
  };
  for (const Words& words : {Words{probes.offsets, Sign::NotNegative}, Words{probes.ref_ctr_offsets, Sign::NotNegative},
                             Words{probes.cookies, Sign::Any}}) {
    if (words.address == 0) continue;
    if (const int error = check_words(request.caller, words.address, probes.cnt, words.sign); error != 0) return error;
  }
  return 0;
}

int check_interface(const AttrLinkCreate& attr) {
  constexpr std::uint32_t kFlags = spec::kReplace | spec::kBefore | spec::kAfter | spec::kId | spec::kAttachLink;
  if (!is_interface(attr.target_ifindex)) return -ENODEV;
  return (attr.flags & ~kFlags) != 0 ? -EINVAL : 0;
}

int check_xdp(const AttrLinkCreate& attr) {
  constexpr std::uint32_t kModes = 1U << 1 | 1U << 2 | 1U << 3;  // generic, in the driver, in the device: one at most
  if (!is_interface(attr.target_ifindex) || (attr.flags & ~kModes) != 0) return -EINVAL;
  return (attr.flags & (attr.flags - 1)) != 0 ? -EINVAL : 0;
}

// Functions of the kernel's are known since the program was loaded; only extensions may name others.
int check_traced(const AttrLinkCreate& attr) {
  if (attr.attach_type == std::to_underlying(AttachType::TraceRawTp)) return 0;
  return attr.target_fd != 0 || attr.target_btf_id != 0 ? -EINVAL : 0;
}

int check_event(Request& request) {
  const AttrLinkCreate& attr = request.attr.link_create;
  return attr.flags != 0 ? -EINVAL : check_event_target(request.caller, static_cast<int>(attr.target_fd));
}

int check_target(Request& request, TargetKind kind) {
  const AttrLinkCreate& attr = request.attr.link_create;
  switch (kind) {
    case TargetKind::Cgroup: return check_cgroup(request);
    case TargetKind::Netns:
      return attr.flags != 0 ? -EINVAL : check_netns_target(request.caller, static_cast<int>(attr.target_fd));
    case TargetKind::Sockmap: return check_sockmap(request);
    case TargetKind::Interface: return check_interface(attr);
    case TargetKind::XdpInterface: return check_xdp(attr);
    case TargetKind::Event: return check_event(request);
    case TargetKind::File: return check_file(request);
    case TargetKind::Hook: return check_hook(attr);
    case TargetKind::Kernel: return check_traced(attr);
    case TargetKind::Functions:
    case TargetKind::Iterator:
    case TargetKind::None: return 0;
  }
  __builtin_unreachable();
}

// ---- Iterators

// What an iterator is asked to go through: union bpf_iter_link_info, whose first word is a map.
struct IteratorInfo {
  std::uint32_t map_fd;
  std::uint32_t rest[3];
};

int read_info(Request& request, IteratorInfo& info) {
  const AttrLinkCreate::Iter& asked = request.attr.link_create.iter;
  if ((asked.iter_info != 0) != (asked.iter_info_len != 0)) return -EINVAL;
  if (asked.iter_info == 0) return 0;
  if (const int error = check_tail(request.caller, asked.iter_info, asked.iter_info_len, sizeof info); error != 0)
    return -error;
  const MutableBytes ours = std::as_writable_bytes(std::span(&info, 1));
  return request.caller.copy_in(asked.iter_info, ours.first(std::min<std::size_t>(asked.iter_info_len, ours.size())))
             ? 0
             : -EFAULT;
}

// The map whose elements it goes through.
Found<MapObject> find_elements(Request& request, const ProgObject& program, const IteratorInfo& info) {
  if (info.map_fd == 0) return {.object = {}, .error = EBADF};
  Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(info.map_fd));
  if (!map.object) return map;
  if (const int error = check_elements(program, *map.object); error != 0) return {.object = {}, .error = -error};
  return map;
}

long create(Request& request, ProgObject& program, const Iterator& iterator, MapObject* map) {
  Objects& objects = request.hive.objects;
  auto made = std::make_shared<LinkObject>(iterator, map);
  made->set_program(&program);
  const Ref<LinkObject> link = objects.insert(std::move(made), objects.take_id(Kind::Link));
  objects.hold(*link, program);
  if (map != nullptr) objects.hold(*link, *map);
  return install(request, *link);
}

long create_iterator(Request& request, ProgObject& program) {
  const AttrLinkCreate& attr = request.attr.link_create;
  IteratorInfo info{};
  if (attr.target_fd != 0 || attr.flags != 0) return -EINVAL;
  if (const int error = read_info(request, info); error != 0) return error;
  const Iterator* iterator = iterator_of(request.hive, program);
  if (iterator == nullptr) return refuse(EOPNOTSUPP, "link_create: a hive has nothing that this iterator goes through");
  if (iterator->what != Iterated::Elements) return create(request, program, *iterator, nullptr);
  const Found<MapObject> map = find_elements(request, program, info);
  return map.object ? create(request, program, *iterator, map.object.get()) : -map.error;
}

// ---- The program of a link

// Whether it may take the place of `old`: 0 or an errno.
int check_successor(const LinkObject& link, const ProgObject& old, const ProgObject& program) noexcept {
  if (link.iterator == nullptr) return EINVAL;
  if (program.type != old.type || program.attach_type != old.attach_type || program.attach_btf_id != old.attach_btf_id)
    return EINVAL;
  return link.map != nullptr ? -check_elements(program, *link.map) : 0;
}

// `expected`: the program that must be there; null: any.
int replace(Objects& objects, LinkObject& link, ProgObject& program, const ProgObject* expected) {
  return objects.exchange(link, &program, Kind::Prog, [&]() -> Objects::Replaced {
    const Ref<ProgObject> old = link.program();
    if (expected != nullptr && old.get() != expected) return {.error = EPERM};
    if (const int error = check_successor(link, *old, program); error != 0) return {.error = error};
    link.set_program(&program);
    return {.error = 0, .old = old->reference()};
  });
}

}  // namespace

long link_create(Request& request) {
  const AttrLinkCreate& attr = request.attr.link_create;
  if (attr.attach_type == std::to_underlying(AttachType::StructOps)) {
    const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
    return map.object ? -EINVAL : -map.error;  // no map of functions has any yet
  }
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!prog.object) return -prog.error;
  if (!spec::attach_type(attr.attach_type)) return -EINVAL;
  if (prog.object->type == ProgType::Ext)
    return attach_extension(request, *prog.object, attr.target_fd, attr.target_btf_id);
  const AttachPoint* point = attach_point(attr.attach_type, prog.object->type);
  if (point == nullptr || !point->takes(ways::Link) || !is_for(*prog.object, *point)) return -EINVAL;
  if (point->target == TargetKind::Iterator) return create_iterator(request, *prog.object);
  if (const int error = check_target(request, point->target); error != 0) return error;
  return refuse(EOPNOTSUPP, "link_create: programs of a hive do not run there: it belongs to the machine's kernel");
}

long link_update(Request& request) {
  const spec::AttrLinkUpdate& attr = request.attr.link_update;
  const bool replaces = (attr.flags & spec::kReplace) != 0;
  if ((attr.flags & ~std::uint32_t{spec::kReplace}) != 0) return -EINVAL;
  const Found<LinkObject> link = find_link(request.hive, request.caller, static_cast<int>(attr.link_fd));
  if (!link.object) return -link.error;
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.new_prog_fd));
  if (!prog.object) return -prog.error;
  if (!replaces && attr.old_prog_fd != 0) return -EINVAL;
  Found<ProgObject> old;
  if (replaces) old = find_prog(request.hive, request.caller, static_cast<int>(attr.old_prog_fd));
  if (replaces && !old.object) return -old.error;
  return -replace(request.hive.objects, *link.object, *prog.object, old.object.get());
}

// Neither iterators nor extensions can be detached, and a hive has no other links.
long link_detach(Request& request) {
  const Found<LinkObject> link =
      find_link(request.hive, request.caller, static_cast<int>(request.attr.link_detach.link_fd));
  return link.object ? -EOPNOTSUPP : -link.error;
}

}  // namespace skep::hive
