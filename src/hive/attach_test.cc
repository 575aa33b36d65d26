// Where programs can be attached: every kind of program, at every attach type, on targets of every kind, asked of a
// hive and of the running kernel. What the kernel attaches, a hive refuses with EOPNOTSUPP, and every other answer is
// the same.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/errno.h"
#include "hive/testing_programs.h"

namespace skep::hive::testing {
namespace {

using spec::Command;
using spec::MapType;

constexpr std::uint32_t kAttachTypes = 60;  // with some that are none

struct NamedShape {
  const char* name;
  ProgShape shape;
};
const std::vector<NamedShape>& shapes() {
  static const std::vector<NamedShape> all = {
      {"socket filter", {ProgType::SocketFilter}},
      {"kprobe", {ProgType::Kprobe}},
      {"kprobe, multi", {ProgType::Kprobe, AttachType::TraceKprobeMulti}},
      {"kprobe, session", {ProgType::Kprobe, AttachType::TraceKprobeSession}},
      {"uprobe, multi", {ProgType::Kprobe, AttachType::TraceUprobeMulti}},
      {"tc", {ProgType::SchedCls}},
      {"tc, tcx", {ProgType::SchedCls, AttachType::TcxIngress}},
      {"tc action", {ProgType::SchedAct}},
      {"tracepoint", {ProgType::Tracepoint}},
      {"XDP", {ProgType::Xdp}},
      {"XDP, by link", {ProgType::Xdp, AttachType::Xdp}},
      {"XDP in a devmap", {ProgType::Xdp, AttachType::XdpDevmap}},
      {"perf event", {ProgType::PerfEvent}},
      {"cgroup, ingress", {ProgType::CgroupSkb, AttachType::CgroupInetIngress, 1}},
      {"cgroup, egress", {ProgType::CgroupSkb, AttachType::CgroupInetEgress, 1}},
      {"cgroup, sockets", {ProgType::CgroupSock, AttachType::CgroupInetSockCreate, 1}},
      {"cgroup, addresses", {ProgType::CgroupSockAddr, AttachType::CgroupInet4Bind, 1}},
      {"cgroup, socket options", {ProgType::CgroupSockopt, AttachType::CgroupGetsockopt, 1}},
      {"cgroup, sysctl", {ProgType::CgroupSysctl, AttachType{0}, 1}},
      {"cgroup, devices", {ProgType::CgroupDevice, AttachType{0}, 1}},
      {"sock_ops", {ProgType::SockOps, AttachType{0}, 1}},
      {"sk_skb", {ProgType::SkSkb}},
      {"sk_msg", {ProgType::SkMsg}},
      {"raw tracepoint", {ProgType::RawTracepoint}},
      {"reuseport", {ProgType::SkReuseport, AttachType::SkReuseportSelect}},
      {"flow dissector", {ProgType::FlowDissector}},
      {"sk_lookup", {ProgType::SkLookup, AttachType::SkLookup, 1}},
      {"netfilter", {ProgType::Netfilter, AttachType::Netfilter, 1}},
      {"tracepoint by type", {ProgType::Tracing, AttachType::TraceRawTp, 0, "btf_trace_sched_switch"}},
      {"iterator", {ProgType::Tracing, AttachType::TraceIter, 0, "bpf_iter_bpf_map"}},
      {"system call", {ProgType::Syscall, AttachType{0}, 0, "", spec::kSleepable}},
      {"tunnel", {ProgType::LwtIn}},
  };
  return all;
}

// Numbers that may be a target, in this order on both sides.
struct Targets {
  Targets(Bpf& bpf, Fds& fds) {
    // Numbers that no interface has.
    const auto high = [&](long fd) { return fds.keep(::fcntl(static_cast<int>(fds.keep(fd)), F_DUPFD_CLOEXEC, 900)); };
    const auto open = [&](const char* path) { return high(::open(path, O_RDONLY | O_CLOEXEC)); };
    add("nothing", kNoFd);
    add("the first interface", 1);
    add("a cgroup", open("/sys/fs/cgroup/unified"));
    add("another folder", open("/"));
    add("a network namespace", open("/proc/self/ns/net"));
    add("another namespace", open("/proc/self/ns/mnt"));
    add("a map of sockets", high(create_map(bpf, {.type = MapType::Sockmap, .value = 4})));
    add("a map", high(create_map(bpf, {})));
    add("a program", high(load_prog(bpf, ProgType::Xdp, return_value(2))));
  }
  void add(const char* name, long number) { all.push_back({name, static_cast<int>(number)}); }
  struct Target {
    const char* name;
    int number;
  };
  std::vector<Target> all;
};

using Try = long (*)(Bpf& bpf, int prog, std::uint32_t attach, int target);

long try_link(Bpf& bpf, int prog, std::uint32_t attach, int target) {
  return create_link(bpf, {.prog = prog, .target = target, .attach = AttachType{attach}});
}

spec::Attr attach_attr(int prog, std::uint32_t attach, int target, std::uint32_t flags = 0) {
  spec::Attr attr{};
  attr.attach.target_fd = static_cast<std::uint32_t>(target);
  attr.attach.attach_bpf_fd = static_cast<std::uint32_t>(prog);
  attr.attach.attach_type = attach;
  attr.attach.attach_flags = flags;
  return attr;
}
long try_attach(Bpf& bpf, int prog, std::uint32_t attach, int target) {
  spec::Attr attr = attach_attr(prog, attach, target);
  const long result = bpf(Command::ProgAttach, attr);
  attr = attach_attr(prog, attach, target);
  if (result == 0) {
    EXPECT_EQ(bpf(Command::ProgDetach, attr), 0);
  }
  return result;
}
long try_detach(Bpf& bpf, int prog, std::uint32_t attach, int target) {
  spec::Attr attr = attach_attr(prog, attach, target);
  return bpf(Command::ProgDetach, attr);
}

// What is asked, and what came out.
struct Answer {
  std::string question;
  long result;
};
void ask_with(Bpf& bpf, int prog, const char* name, Try one_try, const Targets& targets, std::vector<Answer>& answers) {
  for (std::uint32_t attach = 0; attach < kAttachTypes; ++attach)
    for (const Targets::Target& target : targets.all) {
      const long result = one_try(bpf, prog, attach, target.number);
      if (result > 0) ::close(static_cast<int>(result));
      answers.push_back(
          {std::string(name) + " at " + std::to_string(attach) + " on " + target.name, std::min(result, 0L)});
    }
}
std::vector<Answer> ask(Bpf& bpf, Try one_try) {
  std::vector<Answer> answers;
  Fds fds;
  const Targets targets(bpf, fds);
  for (const NamedShape& one : shapes()) {
    const long prog = fds.keep(load_prog(bpf, one.shape));
    EXPECT_GE(prog, 0) << one.name << ": " << Hive::last_error();
    ask_with(bpf, static_cast<int>(prog), one.name, one_try, targets, answers);
  }
  ask_with(bpf, kNoFd, "no program", one_try, targets, answers);
  ask_with(bpf, targets.all[7].number, "a map for a program", one_try, targets, answers);
  return answers;
}

// A kernel may lack what a hive only refuses: then it says EINVAL or EOPNOTSUPP where others attach.
void compare(Try one_try) {
  if (!KernelBpf::here()) GTEST_SKIP() << "there is no kernel to compare with";
  HiveBpf hive;
  KernelBpf kernel;
  const std::vector<Answer> ours = ask(hive, one_try);
  const std::vector<Answer> theirs = ask(kernel, one_try);
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const bool attached = theirs[i].result == 0;
    const bool is_iterator = ours[i].question.starts_with("iterator at 28");
    EXPECT_EQ(ours[i].result, attached && !is_iterator ? -EOPNOTSUPP : theirs[i].result) << ours[i].question;
  }
}

TEST(Attach, LinksOfEveryKind) { compare(try_link); }
TEST(Attach, WithoutLinks) { compare(try_attach); }
TEST(Attach, NothingToDetach) { compare(try_detach); }

// ---- Queries find nothing

struct Found {
  long result;
  std::uint32_t flags, count;
};
Found query(Bpf& bpf, int target, std::uint32_t attach, std::uint32_t query_flags) {
  spec::Attr attr{};
  attr.query.target_fd = static_cast<std::uint32_t>(target);
  attr.query.attach_type = attach;
  attr.query.query_flags = query_flags;
  const long result = bpf(Command::ProgQuery, attr);
  return {result, attr.query.attach_flags, attr.query.prog_cnt};
}

TEST(Attach, QueriesFindNothing) {
  if (!KernelBpf::here()) GTEST_SKIP() << "there is no kernel to compare with";
  HiveBpf hive;
  KernelBpf kernel;
  Fds fds;
  const Targets ours(hive, fds), theirs(kernel, fds);
  for (std::uint32_t attach = 0; attach < kAttachTypes; ++attach)
    for (std::size_t i = 0; i < ours.all.size(); ++i)
      for (const std::uint32_t flags : {0U, 1U, 2U}) {
        const Found here = query(hive, ours.all[i].number, attach, flags);
        const Found there = query(kernel, theirs.all[i].number, attach, flags);
        EXPECT_EQ(here.result, there.result) << attach << " of " << ours.all[i].name << ", flags " << flags;
        EXPECT_EQ(here.flags, 0U);
        EXPECT_EQ(here.count, 0U);
      }
}

// ---- What is said besides

// Attaches a program with what `change` says of it.
using Change = void (*)(spec::AttrAttach&);
std::function<long(Bpf&, Fds&)> attach_with(const ProgShape& shape, AttachType where, const char* path, Change change) {
  return [=](Bpf& b, Fds& f) {
    const auto prog = static_cast<int>(f.keep(load_prog(b, shape)));
    const long target = *path == '\0' ? 0 : f.keep(::open(path, O_RDONLY | O_CLOEXEC));
    spec::Attr attr = attach_attr(prog, static_cast<std::uint32_t>(where), static_cast<int>(target));
    change(attr.attach);
    return b(Command::ProgAttach, attr);
  };
}

TEST(Attach, FlagsAreChecked) {
  const auto cgroup = [](Change change) {
    return attach_with({ProgType::CgroupDevice, AttachType{0}, 1}, AttachType::CgroupDevice, "/sys/fs/cgroup/unified",
                       change);
  };
  const auto tcx = [](Change change) { return attach_with({ProgType::SchedCls}, AttachType::TcxIngress, "", change); };
  const auto dissector = [](Change change) {
    return attach_with({ProgType::FlowDissector}, AttachType::FlowDissector, "", change);
  };
  judge({
      {"a cgroup's, two ways at once", -EINVAL, cgroup([](auto& attr) { attr.attach_flags = 3; })},
      {"a cgroup's, unknown flags", -EINVAL, cgroup([](auto& attr) { attr.attach_flags = 1U << 14; })},
      {"a cgroup's, in the place of nothing", -EINVAL, cgroup([](auto& attr) { attr.attach_flags = 4; })},
      {"tcx where there is nothing", -ENODEV, tcx([](auto&) {})},
      {"tcx, flags of cgroups", -EINVAL, tcx([](auto& attr) { attr.attach_flags = 1; })},
      {"a dissector on a number", -EINVAL, dissector([](auto& attr) { attr.target_fd = 5; })},
      {"a dissector with flags", -EINVAL, dissector([](auto& attr) { attr.attach_flags = 1; })},
      {"a dissector with relations", -EINVAL, dissector([](auto& attr) { attr.relative_fd = 1; })},
      {"a dissector in the place of another", -EINVAL, dissector([](auto& attr) { attr.replace_bpf_fd = 9; })},
  });
}

TEST(Attach, LinkFlagsAreChecked) {
  const auto link = [](ProgShape shape, std::uint32_t attach, int target, std::uint32_t flags) {
    return [=](Bpf& b, Fds& f) {
      return f.keep(create_link(
          b, {.prog = f.keep(load_prog(b, shape)), .target = target, .attach = AttachType{attach}, .flags = flags}));
    };
  };
  const auto on = [](AttachType type) { return static_cast<std::uint32_t>(type); };
  const ProgShape devices{ProgType::CgroupDevice, AttachType{0}, 1},
      filter{ProgType::Netfilter, AttachType::Netfilter, 1};
  judge({
      {"cgroup, unknown flags", -EINVAL, link(devices, on(AttachType::CgroupDevice), kNoFd, 1)},
      {"cgroup, an order", -EBADF, link(devices, on(AttachType::CgroupDevice), kNoFd, 8)},
      {"dissector, flags", -EINVAL, link({ProgType::FlowDissector}, on(AttachType::FlowDissector), kNoFd, 8)},
      {"sk_msg, flags", -EINVAL, link({ProgType::SkMsg}, on(AttachType::SkMsgVerdict), kNoFd, 8)},
      {"XDP, two modes", -EINVAL, link({ProgType::Xdp}, on(AttachType::Xdp), 1, 6)},
      {"XDP, unknown flags", -EINVAL, link({ProgType::Xdp}, on(AttachType::Xdp), 1, 64)},
      {"tcx, no interface", -ENODEV, link({ProgType::SchedCls}, on(AttachType::TcxIngress), 0, 1)},
      {"tcx, unknown flags", -EINVAL, link({ProgType::SchedCls}, on(AttachType::TcxIngress), 1, 1)},
      {"perf event, flags", -EINVAL, link({ProgType::Kprobe}, on(AttachType::PerfEvent), kNoFd, 1)},
      {"netfilter, flags", -EINVAL, link(filter, on(AttachType::Netfilter), 0, 1)},
      {"unknown attach type", -EINVAL, link(devices, 999, kNoFd, 0)},
  });
}

TEST(Attach, HooksOfNetfilter) {
  const auto link = [](std::uint32_t family, std::uint32_t hook, std::int32_t priority, std::uint32_t flags) {
    return [=](Bpf& b, Fds& f) {
      const ProgShape shape{ProgType::Netfilter, AttachType::Netfilter, 1};
      spec::Attr attr = link_attr({.prog = f.keep(load_prog(b, shape)), .attach = AttachType::Netfilter});
      attr.link_create.netfilter = {.pf = family, .hooknum = hook, .priority = priority, .flags = flags};
      return f.keep(b(Command::LinkCreate, attr));
    };
  };
  judge({
      {"another family", -EAFNOSUPPORT, link(3, 0, 0, 0)},
      {"no such hook", -EPROTO, link(2, 5, 0, 0)},
      {"no such hook, first", -EPROTO, link(2, 9, INT32_MIN, 2)},
      {"unknown flags", -EOPNOTSUPP, link(2, 0, 0, 2)},
      {"unknown flags, and first", -EOPNOTSUPP, link(2, 0, INT32_MIN, 2)},
      {"first", -ERANGE, link(2, 0, INT32_MIN, 0)},
      {"last", -ERANGE, link(2, 0, INT32_MAX, 0)},
      {"before fragments are whole", -ERANGE, link(2, 0, -401, 1)},
  });
}

TEST(Attach, PlacesOfUprobes) {
  static const std::uint64_t zeros[8] = {}, negative[1] = {UINT64_MAX};
  using Multi = spec::AttrLinkCreate::UprobeMulti;
  const auto link = [](Multi probes) {
    return [=](Bpf& b, Fds& f) {
      const ProgShape shape{ProgType::Kprobe, AttachType::TraceUprobeMulti};
      spec::Attr attr = link_attr({.prog = f.keep(load_prog(b, shape)), .attach = AttachType::TraceUprobeMulti});
      attr.link_create.uprobe_multi = probes;
      return f.keep(b(Command::LinkCreate, attr));
    };
  };
  const std::uint64_t root = address("/"), none = address("/no/such/file"), file = address("/bin/sh"),
                      at = address(zeros);
  const Multi good{
      .path = file, .offsets = at, .ref_ctr_offsets = 0, .cookies = 0, .cnt = 1, .flags = 0, .pid = 0, .pad = 0};
  const auto with = [&](auto change) {
    Multi changed = good;
    change(changed);
    return link(changed);
  };
  judge({
      {"libbpf's question", -EBADF, with([&](Multi& m) { m.path = root; })},
      {"no path", -EINVAL, with([](Multi& m) { m.path = 0; })},
      {"no offsets", -EINVAL, with([](Multi& m) { m.offsets = 0; })},
      {"none at all", -EINVAL, with([](Multi& m) { m.cnt = 0; })},
      {"too many", -E2BIG, with([](Multi& m) { m.cnt = 1U << 21; })},
      {"unknown flags", -EINVAL, with([](Multi& m) { m.flags = 2; })},
      {"a file that is not there", -ENOENT, with([&](Multi& m) { m.path = none; })},
      {"a path that cannot be read", -EFAULT, with([](Multi& m) { m.path = 8; })},
      {"no such process", -ESRCH, with([](Multi& m) { m.pid = 0x7ffffff0; })},
      {"offsets that cannot be read", -EFAULT, with([](Multi& m) { m.offsets = 8; })},
      {"counters that cannot be read", -EFAULT, with([](Multi& m) { m.ref_ctr_offsets = 8; })},
      {"cookies that cannot be read", -EFAULT, with([](Multi& m) { m.cookies = 8; })},
      {"a negative offset", -EINVAL, with([](Multi& m) { m.offsets = address(negative); })},
      {"all is well", -EOPNOTSUPP, link(good), false},
  });
}

TEST(Attach, RawTracepoints) {
  const auto open = [](ProgShape shape, std::uint64_t name) {
    return [=](Bpf& b, Fds& f) {
      spec::Attr attr{};
      attr.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(f.keep(load_prog(b, shape)));
      attr.raw_tracepoint.name = name;
      return f.keep(b(Command::RawTracepointOpen, attr));
    };
  };
  const ProgShape raw{ProgType::RawTracepoint},
      typed{ProgType::Tracing, AttachType::TraceRawTp, 0, "btf_trace_sched_switch"};
  judge({
      {"no name", -EFAULT, open(raw, 0)},
      {"a name that cannot be read", -EFAULT, open(raw, 8)},
      {"no such tracepoint", -ENOENT, open(raw, address("nonesuch"))},
      {"one of the kernel's", -EOPNOTSUPP, open(raw, address("sched_switch")), false},
      {"a name for a program that knows", -EINVAL, open(typed, address("sched_switch"))},
      {"a program that knows", -EOPNOTSUPP, open(typed, 0), false},
      {"XDP", -EINVAL, open({ProgType::Xdp}, 8)},
  });
}

TEST(Attach, Tokens) {
  const auto token = [](std::uint32_t flags, const char* path, int how = O_RDONLY) {
    return [=](Bpf& b, Fds& f) {
      spec::Attr attr{};
      attr.token_create.flags = flags;
      const std::string where = *path == '/' ? path : b.bpffs();
      attr.token_create.bpffs_fd = static_cast<std::uint32_t>(f.keep(::open(where.c_str(), how | O_CLOEXEC)));
      return f.keep(b(Command::TokenCreate, attr));
    };
  };
  judge({
      {"flags", -EINVAL, token(1, "/")},
      {"another folder", -EINVAL, token(0, "/")},
      {"the root of the pins", -EOPNOTSUPP, token(0, ""), false},
      {"a place that is not open", -EBADF, token(0, "/", O_PATH)},
  });
}

}  // namespace
}  // namespace skep::hive::testing
