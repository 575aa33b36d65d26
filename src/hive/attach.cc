// BPF_PROG_ATTACH, DETACH and QUERY, BPF_RAW_TRACEPOINT_OPEN, BPF_TASK_FD_QUERY, BPF_TOKEN_CREATE: programs without
// links where the machine's kernel would run them. A hive's do not run there (hive/attach_points.h): after the
// kernel's questions attaching is EOPNOTSUPP, nothing is attached to be detached, and a query finds nothing.
#include <fcntl.h>
#include <signal.h>

#include <cerrno>
#include <optional>
#include <string>

#include "base/errno.h"
#include "hive/attach_points.h"
#include "hive/extension.h"
#include "hive/user_text.h"

namespace skep::hive {
namespace {

using spec::AttachType;
using spec::AttrAttach;
using spec::ProgType;

constexpr std::uint32_t kOrder = spec::kBefore | spec::kAfter | spec::kId | spec::kAttachLink;
constexpr std::uint32_t kKept = spec::kAllowOverride | spec::kAllowMulti | spec::kReplace | spec::kPreorder;

long nothing_runs_there(const char* command) {
  return refuse(EOPNOTSUPP, std::string(command) + ": programs of a hive do not run there");
}

// The place that the first two commands know by its attach type.
const AttachPoint* named_point(const AttrAttach& attr) noexcept {
  const AttachPoint* point = attach_point(attr.attach_type);
  return point != nullptr && (point->takes(ways::Attach) || point->takes(ways::Names)) ? point : nullptr;
}

// Whether programs of one type have an order among themselves there.
bool has_order(const AttachPoint& point) noexcept {
  return point.program == ProgType::SchedCls || point.target == TargetKind::Cgroup;
}

bool attach_flags_known(const AttachPoint& point, const AttrAttach& attr) noexcept {
  std::uint32_t known = kKept;
  if (point.target == TargetKind::Cgroup) known |= kOrder;
  if (point.program == ProgType::SchedCls) known = kOrder | spec::kReplace;
  return (attr.attach_flags & ~known) == 0 &&
         (has_order(point) || (attr.relative_fd == 0 && attr.expected_revision == 0));
}

// A program of the place's type: 0 or a negative errno.
int check_program(Request& request, const AttachPoint& point) noexcept {
  const auto fd = static_cast<int>(request.attr.attach.attach_bpf_fd);
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, fd);
  if (!prog.object) return -prog.error;
  return prog.object->type == point.program && is_for(*prog.object, point) ? 0 : -EINVAL;
}

int check_sockmap(Request& request, std::uint32_t fd) noexcept {
  const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(fd));
  return map.object ? 0 : -map.error;
}
bool is_sockmap(Request& request, std::uint32_t fd) noexcept {
  const Found<MapObject> map = find_map(request.hive, request.caller, static_cast<int>(fd));
  if (!map.object) return false;
  const spec::MapType type = map.object->map->spec().type;
  return type == spec::MapType::Sockmap || type == spec::MapType::Sockhash;
}

int check_cgroup_flags(const AttrAttach& attr) noexcept {
  const bool overrides = (attr.attach_flags & spec::kAllowOverride) != 0;
  const bool several = (attr.attach_flags & spec::kAllowMulti) != 0;
  const bool replaces = (attr.attach_flags & spec::kReplace) != 0;
  return (overrides && several) || (replaces && !several) ? -EINVAL : 0;
}

// Where it would be attached: 0 or a negative errno.
int check_attach_target(Request& request, const AttachPoint& point) noexcept {
  const AttrAttach& attr = request.attr.attach;
  switch (point.target) {
    case TargetKind::Cgroup:
      if (const int error = check_cgroup_target(request.caller, static_cast<int>(attr.target_fd)); error != 0)
        return error;
      return check_cgroup_flags(attr);
    case TargetKind::Sockmap:
      return attr.attach_flags != 0 || attr.replace_bpf_fd != 0 ? -EINVAL : check_sockmap(request, attr.target_fd);
    case TargetKind::Netns:  // the caller's own
      return attr.target_fd != 0 || attr.attach_flags != 0 || attr.replace_bpf_fd != 0 ? -EINVAL : 0;
    case TargetKind::Interface: return is_interface(attr.target_ifindex) ? 0 : -ENODEV;
    default: return -EINVAL;
  }
}

bool detach_flags_known(const AttachPoint& point, const AttrAttach& attr) noexcept {
  const std::uint32_t known = point.program == ProgType::SchedCls ? kOrder : 0;
  return (attr.attach_flags & ~known) == 0 && attr.relative_fd == 0 &&
         (has_order(point) || attr.expected_revision == 0);
}

// What would be detached, and where from: 0 or a negative errno.
int check_detach_target(Request& request, const AttachPoint& point) noexcept {
  const AttrAttach& attr = request.attr.attach;
  switch (point.target) {
    case TargetKind::Cgroup: return check_cgroup_target(request.caller, static_cast<int>(attr.target_fd));
    case TargetKind::Interface: return is_interface(attr.target_ifindex) ? 0 : -ENODEV;
    case TargetKind::Netns: return attr.target_fd != 0 ? -EINVAL : check_program(request, point);
    case TargetKind::Sockmap:
      if (attr.replace_bpf_fd != 0) return -EINVAL;
      if (const int error = check_sockmap(request, attr.target_fd); error != 0) return error;
      if (const int error = check_program(request, point); error != 0) return error;
      return is_sockmap(request, attr.target_fd) ? 0 : -EOPNOTSUPP;
    default: return -EINVAL;
  }
}

// Nothing is attached: the caller's fields say so.
long answer_nothing(Request& request, const AttachPoint& point) noexcept {
  constexpr std::uint32_t kNone = 0;
  constexpr std::uint64_t kFirstRevision = 1;
  const bool told =
      answer(request, offsetof(spec::AttrQuery, prog_cnt), kNone) &&
      (point.target == TargetKind::Interface ? answer(request, offsetof(spec::AttrQuery, revision), kFirstRevision)
                                             : answer(request, offsetof(spec::AttrQuery, attach_flags), kNone));
  return told ? 0 : -EFAULT;
}

int check_query_target(Request& request, const AttachPoint& point) noexcept {
  const spec::AttrQuery& attr = request.attr.query;
  const auto fd = static_cast<int>(attr.target_fd);
  switch (point.target) {
    case TargetKind::Cgroup: return check_cgroup_target(request.caller, fd);
    case TargetKind::Netns: return attr.query_flags != 0 ? -EINVAL : check_netns_target(request.caller, fd);
    case TargetKind::Sockmap:
      if (attr.query_flags != 0) return -EINVAL;
      if (const int error = check_sockmap(request, attr.target_fd); error != 0) return error;
      return is_sockmap(request, attr.target_fd) ? 0 : -EOPNOTSUPP;
    case TargetKind::Interface:
      if (!is_interface(attr.target_ifindex)) return -ENODEV;
      return attr.query_flags != 0 || attr.attach_flags != 0 ? -EINVAL : 0;
    default: return -EINVAL;
  }
}

// Whether the machine's kernel has the tracepoint: then there is a type for what it is given.
bool is_tracepoint(State& hive, const std::string& name) {
  const btf::Btf* types = hive.kernel_btf();
  return types != nullptr && types->find("btf_trace_" + name, btf::Kind::Typedef).has_value();
}

long open_tracepoint(Request& request, std::uint64_t address) {
  const Result<std::string> name = read_name(request.caller, address);
  if (!name) return -EFAULT;
  if (!is_tracepoint(request.hive, *name)) return refuse(ENOENT, "raw_tracepoint_open: there is no " + *name);
  return nothing_runs_there("raw_tracepoint_open");
}

// Programs that know from loading what they are attached to.
long open_loaded_for(Request& request, ProgObject& program, std::uint64_t name) {
  if (name != 0) return -EINVAL;
  switch (static_cast<AttachType>(program.attach_type)) {
    case AttachType::TraceRawTp:
    case AttachType::TraceFentry:
    case AttachType::TraceFexit:
    case AttachType::ModifyReturn:
    case AttachType::LsmMac: return nothing_runs_there("raw_tracepoint_open");
    default: return program.type == ProgType::Ext ? attach_extension(request, program, 0, 0) : -EINVAL;
  }
}

}  // namespace

long prog_attach(Request& request) {
  const AttachPoint* point = named_point(request.attr.attach);
  if (point == nullptr || !attach_flags_known(*point, request.attr.attach)) return -EINVAL;
  if (const int error = check_program(request, *point); error != 0) return error;
  if (!point->takes(ways::Attach)) return -EINVAL;
  if (const int error = check_attach_target(request, *point); error != 0) return error;
  return nothing_runs_there("prog_attach");
}

long prog_detach(Request& request) {
  const AttrAttach& attr = request.attr.attach;
  const AttachPoint* point = named_point(attr);
  if (point == nullptr || !detach_flags_known(*point, attr)) return -EINVAL;
  if (point->program == ProgType::SchedCls && attr.attach_bpf_fd != 0)
    if (const int error = check_program(request, *point); error != 0) return error;
  if (point->attach == AttachType::LsmMac)  // might have been a cgroup's
    if (const int error = check_cgroup_target(request.caller, static_cast<int>(attr.target_fd)); error != 0)
      return error;
  if (!point->takes(ways::Attach)) return -EINVAL;
  if (const int error = check_detach_target(request, *point); error != 0) return error;
  return refuse(ENOENT, "prog_detach: no program of this hive is attached there");
}

long prog_query(Request& request) {
  const spec::AttrQuery& attr = request.attr.query;
  if (!request.caller.privilege().net_admin) return -EPERM;
  if ((attr.query_flags & ~std::uint32_t{spec::kQueryEffective}) != 0) return -EINVAL;
  const AttachPoint* point = attach_point(attr.attach_type);
  if (point == nullptr || !point->takes(ways::Query)) return -EINVAL;
  if (const int error = check_query_target(request, *point); error != 0) return error;
  return answer_nothing(request, *point);
}

long raw_tracepoint_open(Request& request) {
  const spec::AttrRawTracepoint& attr = request.attr.raw_tracepoint;
  const Found<ProgObject> prog = find_prog(request.hive, request.caller, static_cast<int>(attr.prog_fd));
  if (!prog.object) return -prog.error;
  switch (prog.object->type) {
    case ProgType::RawTracepoint:
    case ProgType::RawTracepointWritable: return open_tracepoint(request, attr.name);
    case ProgType::Tracing:
    case ProgType::Lsm:
    case ProgType::Ext: return open_loaded_for(request, *prog.object, attr.name);
    default: return -EINVAL;
  }
}

long task_fd_query(Request& request) {
  if (!request.caller.privilege().sys_admin) return -EPERM;
  const spec::AttrTaskFdQuery& attr = request.attr.task_fd_query;
  if (attr.flags != 0) return -EINVAL;
  const auto process = static_cast<pid_t>(attr.pid);
  if (process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH)) return -ENOENT;
  const std::optional<bool> is_event = is_perf_event(process, attr.fd);
  if (!is_event) return -EBADF;
  return *is_event ? refuse(ENOENT, "task_fd_query: no program of this hive is attached there") : -kNotSupported;
}

// Rights are given away by the owner of a file system in a user namespace of his own, which a hive has not.
long token_create(Request& request) {
  if (request.attr.token_create.flags != 0) return -EINVAL;
  const Fd folder = request.caller.descriptor(static_cast<int>(request.attr.token_create.bpffs_fd));
  if (!folder || (::fcntl(folder.get(), F_GETFL) & O_PATH) != 0) return -EBADF;
  return request.hive.bpffs.is_root(folder.get()) ? -EOPNOTSUPP : -EINVAL;
}

}  // namespace skep::hive
