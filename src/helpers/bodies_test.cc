#include "helpers/bodies.h"

#include "helpers/bind.h"
#include "helpers/testing.h"

namespace skep::helpers::testing {
namespace {

// Every helper that a packet program, or any program, is promised (docs: skep feature).
TEST(Bodies, Promised) {
  for (const std::string_view name : {"map_lookup_elem",
                                      "map_update_elem",
                                      "map_delete_elem",
                                      "map_push_elem",
                                      "map_pop_elem",
                                      "map_peek_elem",
                                      "map_lookup_percpu_elem",
                                      "for_each_map_elem",
                                      "loop",
                                      "ktime_get_ns",
                                      "ktime_get_boot_ns",
                                      "ktime_get_coarse_ns",
                                      "ktime_get_tai_ns",
                                      "jiffies64",
                                      "get_prandom_u32",
                                      "get_smp_processor_id",
                                      "get_numa_node_id",
                                      "get_current_pid_tgid",
                                      "get_current_uid_gid",
                                      "get_current_comm",
                                      "trace_printk",
                                      "trace_vprintk",
                                      "snprintf",
                                      "csum_diff",
                                      "l3_csum_replace",
                                      "l4_csum_replace",
                                      "csum_update",
                                      "csum_level",
                                      "skb_load_bytes",
                                      "skb_store_bytes",
                                      "skb_load_bytes_relative",
                                      "skb_pull_data",
                                      "skb_change_head",
                                      "skb_change_tail",
                                      "skb_change_proto",
                                      "skb_change_type",
                                      "skb_adjust_room",
                                      "skb_vlan_push",
                                      "skb_vlan_pop",
                                      "xdp_adjust_head",
                                      "xdp_adjust_meta",
                                      "xdp_adjust_tail",
                                      "xdp_get_buff_len",
                                      "xdp_load_bytes",
                                      "xdp_store_bytes",
                                      "redirect",
                                      "redirect_peer",
                                      "redirect_neigh",
                                      "redirect_map",
                                      "clone_redirect",
                                      "check_mtu",
                                      "skb_ecn_set_ce",
                                      "skb_set_tstamp",
                                      "perf_event_output",
                                      "ringbuf_output",
                                      "ringbuf_reserve",
                                      "ringbuf_submit",
                                      "ringbuf_discard",
                                      "ringbuf_query",
                                      "probe_read",
                                      "probe_read_kernel",
                                      "probe_read_user",
                                      "probe_read_str",
                                      "probe_read_kernel_str",
                                      "probe_read_user_str",
                                      "copy_from_user",
                                      "strtol",
                                      "strtoul",
                                      "strncmp",
                                      "get_hash_recalc",
                                      "set_hash",
                                      "set_hash_invalid",
                                      "get_socket_cookie",
                                      "get_socket_uid",
                                      "get_netns_cookie",
                                      "get_cgroup_classid",
                                      "get_route_realm",
                                      "skb_cgroup_id",
                                      "spin_lock",
                                      "spin_unlock",
                                      "fib_lookup"}) {
    const spec::Helper* row = spec::find_helper(name);
    ASSERT_NE(row, nullptr) << name;
    EXPECT_NE(body(static_cast<std::uint32_t>(row->id)), nullptr) << name;
  }
}

TEST(Bodies, OthersHaveNone) {
  EXPECT_EQ(body(0), nullptr);
  EXPECT_EQ(body(static_cast<std::uint32_t>(HelperId::tail_call)), nullptr);  // the engines' own
  EXPECT_EQ(body(static_cast<std::uint32_t>(HelperId::sk_assign)), nullptr);
  EXPECT_EQ(body(spec::kHelperCount + 1), nullptr);
  EXPECT_EQ(body(UINT32_MAX), nullptr);
}

// What a signature must be, computed from rows.
using detail::fits;
constexpr const spec::ArgInfo& kind(HelperId id, std::size_t arg) { return spec::info(spec::helper(id).args[arg]); }
static_assert(fits<maps::Map&>(kind(HelperId::map_lookup_elem, 0)));
static_assert(!fits<maps::Map*>(kind(HelperId::map_lookup_elem, 0)));
static_assert(fits<const std::byte*>(kind(HelperId::map_lookup_elem, 1)));
static_assert(!fits<std::byte*>(kind(HelperId::map_lookup_elem, 1)));
static_assert(fits<std::byte*>(kind(HelperId::map_pop_elem, 1)));
static_assert(fits<MutableBytes>(kind(HelperId::skb_load_bytes, 2)) && !fits<Bytes>(kind(HelperId::skb_load_bytes, 2)));
static_assert(fits<Bytes>(kind(HelperId::skb_store_bytes, 2)) &&
              !fits<MutableBytes>(kind(HelperId::skb_store_bytes, 2)));
static_assert(fits<packet::SkBuff&>(kind(HelperId::skb_store_bytes, 0)) &&
              !fits<int>(kind(HelperId::skb_store_bytes, 0)));
static_assert(fits<std::uint16_t>(kind(HelperId::skb_vlan_push, 1)) &&
              !fits<std::byte*>(kind(HelperId::skb_vlan_push, 1)));
static_assert(detail::layout(spec::helper(HelperId::csum_diff)).count == 3);
static_assert(detail::layout(spec::helper(HelperId::csum_diff)).at[2] == 4);
static_assert(detail::result_fits<std::byte*>(spec::ResultBase::MapValue) &&
              !detail::result_fits<int>(spec::ResultBase::MapValue));

TEST(Bodies, RegistersBecomeTypedArguments) {
  TestHost host;
  packet::Frame frame;
  packet::SkBuff skb;
  ASSERT_EQ(packet::prepare(skb, frame, packet::testing::ipv4_tcp(), spec::ProgType::SchedCls), 0);
  const NoProgram program(exec::ContextKind::SkBuff);
  exec::Call call{host};
  call.context = &skb;
  call.program = &program;
  // 16-bit arguments take the register's low bits; int results are sign-extended.
  EXPECT_EQ(invoke(call, HelperId::skb_vlan_push, &skb, std::uint64_t{0xffff'0000'0000'a888}, 0x12345), 0);
  EXPECT_EQ(skb.vlan_tci, 0x2345U);
  EXPECT_EQ(invoke(call, HelperId::skb_change_type, &skb, 9), -EINVAL);
}

TEST(Bodies, OtherContextsAreRefused) {
  TestHost host;
  packet::Frame frame;
  packet::XdpBuff xdp;
  ASSERT_TRUE(frame.place(xdp, packet::testing::ipv4_tcp()));
  const NoProgram program(exec::ContextKind::XdpBuff);
  exec::Call call{host};
  call.context = &xdp;
  call.program = &program;
  EXPECT_EQ(invoke(call, HelperId::skb_pull_data, &xdp, 0), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::get_hash_recalc, &xdp), -EINVAL);
  EXPECT_EQ(invoke(call, HelperId::xdp_get_buff_len, &xdp), 54);
}

}  // namespace
}  // namespace skep::helpers::testing
