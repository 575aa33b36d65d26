#include "spec/helper_access.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "spec/testing_load.h"

namespace skep::spec {
namespace {

bool allowed(ProgType type, HelperId id, LoaderRights rights = {}) {
  return helper_allowed(type, AttachType::CgroupInetIngress, id, rights);
}

TEST(HelperAccess, ByType) {
  EXPECT_TRUE(allowed(ProgType::Xdp, HelperId::xdp_adjust_head));
  EXPECT_FALSE(allowed(ProgType::Xdp, HelperId::skb_store_bytes));
  EXPECT_FALSE(allowed(ProgType::SocketFilter, HelperId::skb_store_bytes));
  EXPECT_TRUE(allowed(ProgType::SchedCls, HelperId::skb_store_bytes));
  EXPECT_FALSE(allowed(ProgType::Unspec, HelperId::map_lookup_elem));
}

TEST(HelperAccess, ByAttachType) {
  EXPECT_TRUE(helper_allowed(ProgType::CgroupSockAddr, AttachType::CgroupInet4Connect, HelperId::bind));
  EXPECT_FALSE(helper_allowed(ProgType::CgroupSockAddr, AttachType::CgroupInet4Bind, HelperId::bind));
}

TEST(HelperAccess, ByCapability) {
  constexpr LoaderRights kNone{.bpf = false, .perfmon = false};
  constexpr LoaderRights kBpf{.bpf = true, .perfmon = false};
  EXPECT_TRUE(allowed(ProgType::SocketFilter, HelperId::map_lookup_elem, kNone));
  EXPECT_FALSE(allowed(ProgType::SocketFilter, HelperId::loop, kNone));
  EXPECT_TRUE(allowed(ProgType::SocketFilter, HelperId::loop, kBpf));
  EXPECT_FALSE(allowed(ProgType::SocketFilter, HelperId::trace_printk, kBpf));
  EXPECT_TRUE(allowed(ProgType::SocketFilter, HelperId::trace_printk));
}

TEST(HelperAccess, EveryHelperIsSomebodys) {
  for (const Helper* row : kHelperRows) {
    bool used = false;
    for (std::uint32_t type = 1; type <= 32; ++type)
      for (std::uint32_t attach = 0; attach <= 56; ++attach)
        used = used || helper_allowed(ProgType{type}, AttachType{attach}, row->id);
    EXPECT_TRUE(used) << row->name;
  }
}

TEST(HelperAccess, SignatureByType) {
  EXPECT_EQ(signature(ProgType::SchedCls, HelperId::sk_assign).args[1], ArgKind::AnySock);
  EXPECT_EQ(signature(ProgType::SkLookup, HelperId::sk_assign).args[1], ArgKind::SocketOrNull);
  EXPECT_EQ(signature(ProgType::CgroupDevice, HelperId::get_cgroup_classid).arg_count(), 0U);
}

// ---- against the running kernel

// Where a kernel newer than 6.12, or configured differently, may answer otherwise.
struct Exception {
  std::vector<HelperId> helpers;
  std::vector<ProgType> types;  // none: all
  bool in_kernel;               // what the kernel says, against the table
  const char* reason;
};

const std::vector<Exception>& exceptions() {
  using enum HelperId;
  static const std::vector<Exception> all{
      {{get_current_uid_gid, get_current_comm, get_cgroup_classid, perf_event_read, current_task_under_cgroup,
        perf_event_read_value, send_signal, send_signal_thread, get_task_stack, copy_from_user, task_storage_get,
        task_storage_delete, get_branch_snapshot, find_vma, copy_from_user_task},
       {},
       true,
       "open to all program types since Linux 6.16"},
      {{get_netns_cookie},
       {ProgType::SocketFilter, ProgType::SchedCls, ProgType::SchedAct, ProgType::CgroupSkb},
       true,
       "since Linux 6.13 (tc) and 6.15 (cgroup_skb, socket_filter)"},
      {{override_return}, {ProgType::Kprobe}, false, "only with CONFIG_BPF_KPROBE_OVERRIDE"},
      {{probe_write_user},
       {},
       false,
       "not when the kernel is locked down for integrity; needs CAP_SYS_ADMIN since 6.10"},
  };
  return all;
}

bool excepted(ProgType type, HelperId id, bool in_kernel) {
  return std::ranges::any_of(exceptions(), [&](const Exception& e) {
    return e.in_kernel == in_kernel && std::ranges::count(e.helpers, id) != 0 &&
           (e.types.empty() || std::ranges::count(e.types, type) != 0);
  });
}

struct Loadable {
  ProgType type;
  std::vector<AttachType> attach_types;
  std::uint32_t flags = 0;
};

// Program types that load without an attach target.
const std::vector<Loadable>& loadable() {
  using enum AttachType;
  constexpr AttachType kNone{};
  static const std::vector<Loadable> all{
      {ProgType::SocketFilter, {kNone}},
      {ProgType::Kprobe, {kNone, TraceKprobeMulti, TraceUprobeMulti, TraceKprobeSession}},
      {ProgType::SchedCls, {kNone, TcxIngress, TcxEgress, NetkitPrimary}},
      {ProgType::SchedAct, {kNone}},
      {ProgType::Tracepoint, {kNone}},
      {ProgType::Xdp, {kNone, Xdp, XdpDevmap, XdpCpumap}},
      {ProgType::PerfEvent, {kNone}},
      {ProgType::CgroupSkb, {CgroupInetIngress, CgroupInetEgress}},
      {ProgType::CgroupSock, {CgroupInetSockCreate, CgroupInetSockRelease, CgroupInet4PostBind, CgroupInet6PostBind}},
      {ProgType::LwtIn, {kNone}},
      {ProgType::LwtOut, {kNone}},
      {ProgType::LwtXmit, {kNone}},
      {ProgType::SockOps, {CgroupSockOps}},
      {ProgType::SkSkb, {kNone, SkSkbStreamVerdict}},
      {ProgType::CgroupDevice, {AttachType::CgroupDevice}},
      {ProgType::SkMsg, {SkMsgVerdict}},
      {ProgType::RawTracepoint, {kNone}},
      {ProgType::CgroupSockAddr,
       {CgroupInet4Bind, CgroupInet6Bind, CgroupInet4Connect, CgroupInet6Connect, CgroupUdp4Sendmsg, CgroupUdp6Sendmsg,
        CgroupUdp4Recvmsg, CgroupUdp6Recvmsg, CgroupInet4Getpeername, CgroupInet6Getpeername, CgroupInet4Getsockname,
        CgroupInet6Getsockname, CgroupUnixConnect, CgroupUnixSendmsg, CgroupUnixRecvmsg, CgroupUnixGetpeername,
        CgroupUnixGetsockname}},
      {ProgType::LwtSeg6local, {kNone}},
      {ProgType::LircMode2, {kNone}},
      {ProgType::SkReuseport, {SkReuseportSelect, SkReuseportSelectOrMigrate}},
      {ProgType::FlowDissector, {kNone}},
      {ProgType::CgroupSysctl, {AttachType::CgroupSysctl}},
      {ProgType::RawTracepointWritable, {kNone}},
      {ProgType::CgroupSockopt, {CgroupGetsockopt, CgroupSetsockopt}},
      {ProgType::SkLookup, {AttachType::SkLookup}},
      {ProgType::Syscall, {kNone}, kSleepable},
      {ProgType::Netfilter, {AttachType::Netfilter}},
  };
  return all;
}

enum class Answer : std::uint8_t { Yes, No, NoSuchType };

// A lone call: the kernel looks whether the program may call the helper before it looks at the arguments.
Answer ask_kernel(ProgType type, AttachType attach, std::uint32_t flags, HelperId id) {
  const isa::Insn call{.code = 0x85, .imm = static_cast<std::int32_t>(id)};
  const isa::Insn exit{.code = 0x95};
  const testing::Verdict verdict = testing::load_into_kernel({type, attach, {call, exit}, flags});
  if (verdict.log.empty() && verdict.error != 0) return Answer::NoSuchType;
  const bool refused = verdict.log.find("cannot use helper") != std::string::npos ||
                       verdict.log.find("unknown func") != std::string::npos;
  return refused ? Answer::No : Answer::Yes;
}

TEST(HelperAccess, TheKernelAgrees) {
  SKEP_NEEDS_KERNEL_BPF();
  unsigned compared = 0;
  for (const Loadable& row : loadable()) {
    for (const AttachType attach : row.attach_types) {
      for (const Helper* helper : kHelperRows) {
        const Answer answer = ask_kernel(row.type, attach, row.flags, helper->id);
        if (answer == Answer::NoSuchType) continue;
        ++compared;
        const bool in_kernel = answer == Answer::Yes;
        if (helper_allowed(row.type, attach, helper->id) == in_kernel || excepted(row.type, helper->id, in_kernel))
          continue;
        ADD_FAILURE() << name(row.type) << " " << name(attach) << ": the kernel "
                      << (in_kernel ? "allows " : "refuses ") << helper->name;
      }
    }
  }
  EXPECT_GT(compared, 211U * 20);
}

TEST(HelperAccess, SomeHelpersAskForCertainFunctions) {
  const auto traced = [](std::string_view name, AttachType attach) {
    return helper_allowed_at({name}, ProgType::Tracing, attach, HelperId::d_path);
  };
  EXPECT_TRUE(traced("dentry_open", AttachType::TraceFentry));
  EXPECT_FALSE(traced("d_path", AttachType::TraceFentry));
  EXPECT_FALSE(traced("", AttachType::TraceFentry));
  EXPECT_TRUE(traced("bpf_iter_task", AttachType::TraceIter));
  EXPECT_TRUE(helper_allowed_at({"d_path"}, ProgType::Tracing, AttachType::TraceFentry, HelperId::get_stack));
  const auto sets_options = [](std::string_view name) {
    return helper_allowed_at({name}, ProgType::Tracing, AttachType::TraceIter, HelperId::setsockopt);
  };
  EXPECT_TRUE(sets_options("bpf_iter_tcp"));
  EXPECT_TRUE(sets_options("bpf_iter_unix"));
  EXPECT_FALSE(sets_options("bpf_iter_udp"));
  EXPECT_FALSE(helper_allowed(ProgType::Tracing, AttachType::TraceFentry, HelperId::setsockopt, LoaderRights{}));
  const auto hooked = [](bool may_sleep) {
    return helper_allowed_at({"bpf_lsm_file_open", may_sleep}, ProgType::Lsm, AttachType::LsmMac,
                             HelperId::ima_file_hash);
  };
  EXPECT_TRUE(hooked(true));
  EXPECT_FALSE(hooked(false));
}

}  // namespace
}  // namespace skep::spec
