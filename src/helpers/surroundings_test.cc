// Time, task, packet metadata, redirects, perf records, loops, numbers: what needs no map or a map that is only asked
// its type.
#include "helpers/testing.h"
#include "maps/domain.h"
#include "packet/test_run.h"
#include "spec/uapi.h"

namespace skep::helpers::testing {
namespace {

using packet::testing::hex;

// A map that holds one key.
class OneEntry final : public maps::Map {
 public:
  explicit OneEntry(maps::Domain& domain, spec::MapType type, std::uint32_t key, std::uint32_t value)
      : Map(Parts{domain, made(type), spec::MapId{1}, {}}), key_(key), value_(value) {}
  std::byte* lookup(const std::byte* key, unsigned) noexcept override {
    return load<std::uint32_t>(key) == key_ ? reinterpret_cast<std::byte*>(&value_) : nullptr;
  }

 private:
  static spec::MapSpec made(spec::MapType type) {
    spec::MapSpec spec;
    spec.type = type;
    spec.key_size = spec.value_size = 4;
    spec.max_entries = 8;
    return spec;
  }
  std::uint32_t key_, value_;
};

struct Surroundings : ::testing::Test {
  void SetUp() override {
    domain = std::move(*maps::Domain::create());
    ASSERT_EQ(packet::prepare(skb, frame, packet::testing::ipv4_tcp(), spec::ProgType::SchedCls), 0);
    ASSERT_TRUE(xdp_frame.place(xdp, packet::testing::ipv4_tcp()));
  }
  exec::Call call_on(void* context, const NoProgram& program) {
    exec::Call made(host);
    made.context = context;
    made.program = &program;
    made.cpu = 3;
    return made;
  }
  exec::Call skb_call() { return call_on(&skb, on_skb); }
  exec::Call xdp_call() { return call_on(&xdp, on_xdp); }

  std::unique_ptr<maps::Domain> domain;
  TestHost host;
  packet::Frame frame, xdp_frame;
  packet::SkBuff skb;
  packet::XdpBuff xdp;
  NoProgram on_skb{exec::ContextKind::SkBuff}, on_xdp{exec::ContextKind::XdpBuff}, on_memory{exec::ContextKind::Memory};
  exec::Call call = call_on(nullptr, on_memory);
};

TEST_F(Surroundings, TimeIsTheHosts) {
  EXPECT_EQ(invoke(call, HelperId::ktime_get_ns), 1000);
  EXPECT_EQ(invoke(call, HelperId::ktime_get_boot_ns), 1001);
  EXPECT_EQ(invoke(call, HelperId::ktime_get_coarse_ns), 1002);
  EXPECT_EQ(invoke(call, HelperId::ktime_get_tai_ns), 1003);
  EXPECT_EQ(invoke(call, HelperId::jiffies64), 1004);
}

TEST_F(Surroundings, NoSocketIsFound) {
  exec::Call skb_run = skb_call();
  std::byte tuple[12]{};
  const auto at = reinterpret_cast<std::int64_t>(tuple);
  const auto packet = reinterpret_cast<std::int64_t>(&skb);
  for (const HelperId id : {HelperId::sk_lookup_tcp, HelperId::sk_lookup_udp, HelperId::skc_lookup_tcp})
    EXPECT_EQ(invoke(skb_run, id, packet, at, sizeof tuple, -1, 0), 0);
}

TEST_F(Surroundings, TaskIsTheHosts) {
  EXPECT_EQ(invoke(call, HelperId::get_current_pid_tgid), 0x1100000022);
  EXPECT_EQ(invoke(call, HelperId::get_current_uid_gid), 0x3300000044);
  EXPECT_EQ(invoke(call, HelperId::get_prandom_u32), 0x89abcdef);  // not sign-extended
  EXPECT_EQ(invoke(call, HelperId::get_smp_processor_id), 3);
  EXPECT_GE(invoke(call, HelperId::get_numa_node_id), 0);
}

TEST_F(Surroundings, CommIsPaddedAndCut) {
  char name[20];
  std::memset(name, '#', sizeof name);
  EXPECT_EQ(invoke(call, HelperId::get_current_comm, name, sizeof name), 0);
  EXPECT_EQ(std::string(name, sizeof name), std::string("a-long-name-her") + std::string(5, '\0'));
  EXPECT_EQ(invoke(call, HelperId::get_current_comm, name, 4), 0);
  EXPECT_STREQ(name, "a-l");
  EXPECT_EQ(invoke(call, HelperId::get_current_comm, name, 0), -EINVAL);
}

TEST_F(Surroundings, DefaultsWithoutAKernel) {
  exec::Call on = skb_call();
  EXPECT_EQ(invoke(on, HelperId::get_socket_cookie, &skb), 0);
  EXPECT_EQ(invoke(on, HelperId::get_socket_uid, &skb), 65534);
  EXPECT_EQ(invoke(on, HelperId::get_netns_cookie, nullptr), 1);
  EXPECT_EQ(invoke(on, HelperId::get_cgroup_classid, &skb), 0);
  EXPECT_EQ(invoke(on, HelperId::get_route_realm, &skb), 0);
  EXPECT_EQ(invoke(on, HelperId::skb_cgroup_id, &skb), 0);
  Buffer parameters(64);
  parameters[0] = std::byte{2};
  EXPECT_EQ(invoke(on, HelperId::fib_lookup, &skb, parameters.data(), 64, 0), 4);
  EXPECT_EQ(invoke(on, HelperId::fib_lookup, &skb, parameters.data(), 63, 0), -EINVAL);
  EXPECT_EQ(invoke(on, HelperId::fib_lookup, &skb, parameters.data(), 64, 64), -EINVAL);
  parameters[0] = std::byte{3};
  EXPECT_EQ(invoke(on, HelperId::fib_lookup, &skb, parameters.data(), 64, 0), -EAFNOSUPPORT);
}

TEST_F(Surroundings, RedirectsAreNoted) {
  exec::Call on = skb_call();
  EXPECT_EQ(invoke(on, HelperId::redirect, 7, 1), 7);
  EXPECT_EQ(on.redirect.kind, exec::Redirect::Kind::Interface);
  EXPECT_EQ(on.redirect.ifindex, 7U);
  EXPECT_EQ(on.redirect.flags, 1U);
  EXPECT_EQ(invoke(on, HelperId::redirect, 7, 2), 2);
  EXPECT_EQ(invoke(on, HelperId::redirect_peer, 8, 0), 7);
  EXPECT_EQ(on.redirect.ifindex, 8U);
  EXPECT_EQ(invoke(on, HelperId::redirect_peer, 8, 1), 2);
  const Buffer neighbour(20);
  EXPECT_EQ(invoke(on, HelperId::redirect_neigh, 9, neighbour.data(), 20, 0), 7);
  EXPECT_EQ(invoke(on, HelperId::redirect_neigh, 9, neighbour.data(), 19, 0), 2);
  exec::Call in_xdp = xdp_call();
  EXPECT_EQ(invoke(in_xdp, HelperId::redirect, 5, 0), 4);
  EXPECT_EQ(in_xdp.redirect.ifindex, 5U);
  EXPECT_EQ(invoke(in_xdp, HelperId::redirect, 5, 1), 0);
}

TEST_F(Surroundings, RedirectMapFallsBackToTheFlags) {
  OneEntry devices(*domain, spec::MapType::Devmap, 2, 77);
  exec::Call on = xdp_call();
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &devices, 2, 0), 4);
  EXPECT_EQ(on.redirect.kind, exec::Redirect::Kind::MapEntry);
  EXPECT_EQ(on.redirect.map, &devices);
  EXPECT_EQ(on.redirect.key, 2U);
  EXPECT_EQ(on.redirect.ifindex, 77U);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &devices, 3, 2), 2);
  EXPECT_EQ(on.redirect.kind, exec::Redirect::Kind::None);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &devices, 3, 3), 3);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &devices, 2, 4), 0);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &devices, 3, 8), 4);  // to all of them
  EXPECT_EQ(on.redirect.flags, 8U);
  OneEntry cpus(*domain, spec::MapType::Cpumap, 1, 192);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &cpus, 1, 8), 0);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &cpus, 1, 2), 4);
  OneEntry array(*domain, spec::MapType::Array, 1, 1);
  EXPECT_EQ(invoke(on, HelperId::redirect_map, &array, 1, 2), 0);
}

TEST_F(Surroundings, ClonesGoToTheHost) {
  exec::Call on = skb_call();
  EXPECT_EQ(invoke(on, HelperId::clone_redirect, &skb, 9, 1), 0);
  EXPECT_EQ(host.cloned_to, 9U);
  EXPECT_TRUE(host.cloned_ingress);
  EXPECT_EQ(host.cloned, packet::testing::ipv4_tcp());
  EXPECT_EQ(invoke(on, HelperId::clone_redirect, &skb, 9, 2), -EINVAL);
  skb.gso_size = 5;
  EXPECT_EQ(invoke(on, HelperId::clone_redirect, &skb, 9, 0), -EBADMSG);
}

TEST_F(Surroundings, PerfRecordsCarryPacketBytes) {
  OneEntry events(*domain, spec::MapType::PerfEventArray, 0, 0);
  const Buffer own = hex("01020304");
  const std::uint64_t current = 0xffffffff;
  for (exec::Call on : {skb_call(), xdp_call()}) {
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, current, own.data(), 4), 0);
    EXPECT_EQ(host.perf_index, 3U);
    EXPECT_EQ(host.perf_record, own);
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, std::uint64_t{8} << 32 | 2, own.data(), 4),
              0);
    EXPECT_EQ(host.perf_index, 2U);
    EXPECT_EQ(host.perf_record, hex("01020304 ffffffffffff0102"));
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, std::uint64_t{54} << 32, nullptr, 0), 0);
    EXPECT_EQ(host.perf_record, packet::testing::ipv4_tcp());
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, std::uint64_t{55} << 32, own.data(), 4),
              -EFAULT);
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, std::uint64_t{1} << 52, own.data(), 4),
              -EINVAL);
    EXPECT_EQ(invoke(on, HelperId::perf_event_output, on.context, &events, 8, own.data(), 4), -E2BIG);
  }
  host.perf_result = -ENOENT;
  exec::Call on = skb_call();
  EXPECT_EQ(invoke(on, HelperId::perf_event_output, &skb, &events, 0, own.data(), 4), -ENOENT);
  OneEntry array(*domain, spec::MapType::Array, 0, 0);
  EXPECT_EQ(invoke(on, HelperId::perf_event_output, &skb, &array, 0, own.data(), 4), -EINVAL);
  exec::Call tracing{host};
  tracing.program = &on_memory;
  EXPECT_EQ(invoke(tracing, HelperId::perf_event_output, &skb, &events, std::uint64_t{1} << 32, own.data(), 4),
            -EINVAL);
}

TEST_F(Surroundings, LargePerfRecords) {
  OneEntry events(*domain, spec::MapType::PerfEventArray, 0, 0);
  ASSERT_TRUE(frame.place(skb, Buffer(65000, std::byte{3})));
  exec::Call on = skb_call();
  const Buffer own(600, std::byte{4});
  EXPECT_EQ(invoke(on, HelperId::perf_event_output, &skb, &events, std::uint64_t{64928} << 32, own.data(), 600), 0);
  EXPECT_EQ(host.perf_record.size(), 65528U);
  EXPECT_EQ(host.perf_record[599], std::byte{4});
  EXPECT_EQ(host.perf_record[600], std::byte{3});
  EXPECT_EQ(invoke(on, HelperId::perf_event_output, &skb, &events, std::uint64_t{64929} << 32, own.data(), 600),
            -E2BIG);
}

std::uint64_t stop_at_five(exec::Call& call, std::uint64_t, std::uint64_t index, std::uint64_t context, std::uint64_t,
                           std::uint64_t, std::uint64_t) noexcept {
  ++*reinterpret_cast<int*>(context);
  if (index == 7) call.stopped = true;
  return index == 5 ? 1 : 0;
}

TEST_F(Surroundings, LoopsUntilTheCallbackStops) {
  int calls = 0;
  call.callback = stop_at_five;
  EXPECT_EQ(invoke(call, HelperId::loop, 3, 1, &calls, 0), 3);
  EXPECT_EQ(invoke(call, HelperId::loop, 100, 1, &calls, 0), 6);
  EXPECT_EQ(calls, 9);
  EXPECT_EQ(invoke(call, HelperId::loop, 0, 1, &calls, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::loop, 1, 1, &calls, 1), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::loop, (8 << 20) + 1, 1, &calls, 0), -E2BIG);
  EXPECT_EQ(calls, 9);
  call.callback = nullptr;  // in a program without functions
  EXPECT_EQ(invoke(call, HelperId::loop, 0, 0, &calls, 0), 0);
  EXPECT_EQ(invoke(call, HelperId::loop, 1, 0, &calls, 0), -EINVAL);
}

TEST_F(Surroundings, Strncmp) {
  EXPECT_EQ(invoke(call, HelperId::strncmp, "abc", 4, "abc"), 0);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "abc", 4, "abd"), -1);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "abd", 4, "abc"), 1);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "abcx", 3, "abcy"), 0);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "ab", 3, "abc"), -1);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "\xff", 2, "a"), 1);
  EXPECT_EQ(invoke(call, HelperId::strncmp, "ab\0x", 4, "ab"), 0);
}

TEST_F(Surroundings, Numbers) {
  std::int64_t value = 1;
  EXPECT_EQ(invoke(call, HelperId::strtol, " -0x1fz", 7, 0, &value), 6);
  EXPECT_EQ(value, -31);
  EXPECT_EQ(invoke(call, HelperId::strtol, "9223372036854775808", 19, 10, &value), -ERANGE);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(invoke(call, HelperId::strtoul, "18446744073709551615", 20, 10, &value), 20);
  EXPECT_EQ(value, -1);
  EXPECT_EQ(invoke(call, HelperId::strtoul, "-1", 2, 10, &value), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::strtoul, "12", 2, 7, &value), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::strtoul, "12", 1, 0, &value), 1);
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace skep::helpers::testing
