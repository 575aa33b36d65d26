// Commands whose objects a hive does not have yet: links, attach points. They check what the kernel checks before
// it looks for the object, and then say that it is not there, so that probes get the answer of a modern kernel.
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/errno.h"
#include "hive/request.h"

namespace skep::hive {
namespace {

// There are no links: a descriptor is none, or one of something else.
int link_error(Request& request, std::uint32_t fd) noexcept {
  return request.caller.descriptor(static_cast<int>(fd)) ? EINVAL : EBADF;
}

// A path of the caller that must end in a readable place: EFAULT when it cannot be read.
bool readable(Request& request, std::uint64_t path) noexcept {
  std::byte first;
  return request.caller.copy_in(path, {&first, 1});
}

constexpr std::uint32_t kLinkUpdateReplace = 1U << 2;  // BPF_F_REPLACE

}  // namespace

long prog_attach(Request& request) {
  const spec::AttrAttach& attr = request.attr.attach;
  if (!spec::attach_type(attr.attach_type)) return -EINVAL;
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.attach_bpf_fd));
  if (!prog.object) return -prog.error;
  if (prog.object->enforces_attach_type && prog.object->attach_type != attr.attach_type)
    return refuse(EINVAL, "prog_attach: what the program returns is only for where it was loaded for");
  return refuse(EINVAL, "prog_attach: this hive has no such attach point");
}

long prog_detach(Request&) { return refuse(EINVAL, "prog_detach: this hive has no such attach point"); }

long prog_query(Request& request) {
  if (!request.caller.privilege().net_admin) return -EPERM;
  if ((request.attr.query.query_flags & ~std::uint32_t{spec::kQueryEffective}) != 0) return -EINVAL;
  return refuse(EINVAL, "prog_query: this hive has no such attach point");
}

long raw_tracepoint_open(Request& request) {
  const spec::AttrRawTracepoint& attr = request.attr.raw_tracepoint;
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!prog.object) return -prog.error;
  if (attr.name != 0 && !readable(request, attr.name)) return -EFAULT;
  switch (prog.object->type) {
    case spec::ProgType::RawTracepoint:
    case spec::ProgType::RawTracepointWritable:
      return attr.name == 0 ? -EFAULT : refuse(ENOENT, "raw_tracepoint_open: this hive has no tracepoints");
    default: return -EINVAL;
  }
}

long task_fd_query(Request& request) {
  if (!request.caller.privilege().sys_admin) return -EPERM;
  const spec::AttrTaskFdQuery& attr = request.attr.task_fd_query;
  if (attr.flags != 0) return -EINVAL;
  const auto process = static_cast<pid_t>(attr.pid);
  if (process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH)) return -ENOENT;
  char path[48], name[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%u", process, attr.fd);
  const ssize_t size = ::readlink(path, name, sizeof name);
  if (size < 0) return -EBADF;
  const bool is_event = std::string_view(name, static_cast<std::size_t>(size)) == "anon_inode:[perf_event]";
  return is_event ? refuse(ENOENT, "task_fd_query: no program of this hive is attached there") : -kNotSupported;
}

long link_create(Request& request) {
  const spec::AttrLinkCreate& attr = request.attr.link_create;
  if (attr.attach_type == std::to_underlying(spec::AttachType::StructOps)) {
    const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(attr.map_fd));
    return map.object ? -EINVAL : -map.error;
  }
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!prog.object) return -prog.error;
  if (!spec::attach_type(attr.attach_type)) return -EINVAL;
  switch (static_cast<spec::AttachType>(attr.attach_type)) {
    // The target is a descriptor (of a perf event, a cgroup, a net namespace): libbpf's probe of perf links gives -1.
    case spec::AttachType::PerfEvent:
      if (attr.flags != 0) return -EINVAL;
      [[fallthrough]];
    default:
      if (!request.caller.descriptor(static_cast<int>(attr.target_fd))) return -EBADF;
      return refuse(EINVAL, "link_create: this hive has no such attach point");
    case spec::AttachType::Xdp: return refuse(EINVAL, "link_create: this hive has no such interface");
  }
}

long link_update(Request& request) {
  if ((request.attr.link_update.flags & ~kLinkUpdateReplace) != 0) return -EINVAL;
  return -link_error(request, request.attr.link_update.link_fd);
}

long link_detach(Request& request) { return -link_error(request, request.attr.link_detach.link_fd); }

long iter_create(Request& request) {
  if (request.attr.iter_create.flags != 0) return -EINVAL;
  return -link_error(request, request.attr.iter_create.link_fd);
}

long token_create(Request& request) {
  if (request.attr.token_create.flags != 0) return -EINVAL;
  return request.caller.descriptor(static_cast<int>(request.attr.token_create.bpffs_fd)) ? -EINVAL : -EBADF;
}

}  // namespace skep::hive
