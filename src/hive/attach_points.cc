#include "hive/attach_points.h"

#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "hive/owners.h"

namespace skep::hive {
namespace {

using namespace ways;
constexpr AttachPoint kPoints[] = {
#define ATTACH_POINT(attach, program, target, matches, commands) \
  {spec::AttachType::attach, spec::ProgType::program, TargetKind::target, Matches::matches, commands},
#include "hive/attach_points.def"
};

}  // namespace

const AttachPoint* attach_point(std::uint32_t attach, spec::ProgType program) noexcept {
  const auto fits = [&](const AttachPoint& point) {
    return std::to_underlying(point.attach) == attach && point.program == program;
  };
  const auto* found = std::ranges::find_if(kPoints, fits);
  return found == std::end(kPoints) ? nullptr : found;
}

const AttachPoint* attach_point(std::uint32_t attach) noexcept {
  const auto* found = std::ranges::find(kPoints, spec::AttachType{attach}, &AttachPoint::attach);
  return found == std::end(kPoints) ? nullptr : found;
}

bool is_for(const ProgObject& program, const AttachPoint& point) noexcept {
  const bool same = program.attach_type == std::to_underlying(point.attach);
  switch (point.matches) {
    case Matches::Any: return same || !program.enforces_attach_type;
    case Matches::Kin: return same || program.attach_type == 0;
    case Matches::Exact: return same;
  }
  return false;
}

int check_cgroup_target(Caller& caller, int fd) noexcept {
  const Fd cgroup = caller.descriptor(fd);
  return cgroup ? check_cgroup(cgroup.get()) : -EBADF;
}

int check_netns_target(Caller& caller, int fd) noexcept {
  const Fd ns = caller.descriptor(fd);
  if (!ns) return -EBADF;
  struct statfs system{};
  if (::fstatfs(ns.get(), &system) != 0 || system.f_type != NSFS_MAGIC) return -EINVAL;
  return ::ioctl(ns.get(), NS_GET_NSTYPE) == CLONE_NEWNET ? 0 : -EINVAL;
}

int check_event_target(Caller& caller, int fd) noexcept {
  const Fd event = caller.descriptor(fd);
  if (!event) return -EBADF;
  return is_perf_event(::getpid(), static_cast<unsigned>(event.get())).value_or(false) ? 0 : -EBADF;
}

std::optional<bool> is_perf_event(pid_t process, unsigned fd) noexcept {
  char link[48], name[64];
  std::snprintf(link, sizeof link, "/proc/%d/fd/%u", process, fd);
  const ssize_t size = ::readlink(link, name, sizeof name);
  if (size < 0) return std::nullopt;
  return std::string_view(name, static_cast<std::size_t>(size)) == "anon_inode:[perf_event]";
}

bool is_interface(std::uint32_t index) noexcept {
  char name[IF_NAMESIZE];
  return ::if_indextoname(index, name) != nullptr;
}

}  // namespace skep::hive
