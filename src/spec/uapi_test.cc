#include "spec/uapi.h"

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "spec/types.h"

// linux/bpf.h of the machine may be older than Linux 6.12: only fields that it has had since 6.1 are compared.
namespace skep::spec {
namespace {

#define SAME(ours, theirs) \
  static_assert(offsetof(Attr, ours) == offsetof(bpf_attr, theirs) && sizeof(Attr::ours) == sizeof(bpf_attr::theirs))
#define SAME_IN(Ours, theirs, field) \
  static_assert(offsetof(Ours, field) == offsetof(theirs, field) && sizeof(Ours::field) == sizeof(theirs::field))

SAME(map_create.map_type, map_type);
SAME(map_create.map_name, map_name);
SAME(map_create.btf_vmlinux_value_type_id, btf_vmlinux_value_type_id);
SAME(map_create.map_extra, map_extra);
SAME(elem.map_fd, map_fd);
SAME(elem.key, key);
SAME(elem.next_key, next_key);
SAME(elem.flags, flags);
SAME(batch.in_batch, batch.in_batch);
SAME(batch.count, batch.count);
SAME(batch.flags, batch.flags);
SAME(prog_load.insns, insns);
SAME(prog_load.log_buf, log_buf);
SAME(prog_load.prog_name, prog_name);
SAME(prog_load.expected_attach_type, expected_attach_type);
SAME(prog_load.func_info, func_info);
SAME(prog_load.line_info_cnt, line_info_cnt);
SAME(prog_load.attach_prog_fd, attach_prog_fd);
SAME(prog_load.fd_array, fd_array);
SAME(prog_load.core_relo_rec_size, core_relo_rec_size);
SAME(obj.pathname, pathname);
SAME(obj.file_flags, file_flags);
SAME(attach.target_fd, target_fd);
SAME(attach.replace_bpf_fd, replace_bpf_fd);
SAME(test.retval, test.retval);
SAME(test.data_out, test.data_out);
SAME(test.ctx_out, test.ctx_out);
SAME(test.batch_size, test.batch_size);
SAME(id.start_id, start_id);
SAME(id.next_id, next_id);
SAME(id.open_flags, open_flags);
SAME(info.info_len, info.info_len);
SAME(info.info, info.info);
SAME(query.prog_ids, query.prog_ids);
SAME(query.prog_attach_flags, query.prog_attach_flags);
SAME(raw_tracepoint.prog_fd, raw_tracepoint.prog_fd);
SAME(btf_load.btf_log_buf, btf_log_buf);
SAME(btf_load.btf_log_level, btf_log_level);
SAME(task_fd_query.probe_addr, task_fd_query.probe_addr);
SAME(link_create.prog_fd, link_create.prog_fd);
SAME(link_create.flags, link_create.flags);
SAME(link_create.iter.iter_info_len, link_create.iter_info_len);
SAME(link_create.perf_event.bpf_cookie, link_create.perf_event.bpf_cookie);
SAME(link_create.kprobe_multi.cookies, link_create.kprobe_multi.cookies);
SAME(link_create.tracing.cookie, link_create.tracing.cookie);
SAME(link_update.old_prog_fd, link_update.old_prog_fd);
SAME(link_detach.link_fd, link_detach.link_fd);
SAME(enable_stats.type, enable_stats.type);
SAME(iter_create.flags, iter_create.flags);
SAME(prog_bind_map.flags, prog_bind_map.flags);

SAME_IN(ProgInfo, bpf_prog_info, tag);
SAME_IN(ProgInfo, bpf_prog_info, map_ids);
SAME_IN(ProgInfo, bpf_prog_info, netns_dev);
SAME_IN(ProgInfo, bpf_prog_info, jited_func_lens);
SAME_IN(ProgInfo, bpf_prog_info, nr_line_info);
SAME_IN(ProgInfo, bpf_prog_info, prog_tags);
SAME_IN(ProgInfo, bpf_prog_info, attach_btf_id);
static_assert(sizeof(ProgInfo) == sizeof(bpf_prog_info));
SAME_IN(MapInfo, bpf_map_info, name);
SAME_IN(MapInfo, bpf_map_info, btf_vmlinux_value_type_id);
SAME_IN(MapInfo, bpf_map_info, netns_ino);
SAME_IN(MapInfo, bpf_map_info, map_extra);
SAME_IN(BtfInfo, bpf_btf_info, name);
SAME_IN(BtfInfo, bpf_btf_info, kernel_btf);
SAME_IN(LinkInfo, bpf_link_info, prog_id);
SAME_IN(LinkInfo, bpf_link_info, raw_tracepoint.tp_name_len);
SAME_IN(LinkInfo, bpf_link_info, cgroup.attach_type);
SAME_IN(LinkInfo, bpf_link_info, iter.target_name_len);
SAME_IN(FuncInfo, bpf_func_info, type_id);
SAME_IN(LineInfo, bpf_line_info, line_col);

SAME_IN(XdpMd, xdp_md, egress_ifindex);
SAME_IN(SkBuffMd, __sk_buff, cb);
SAME_IN(SkBuffMd, __sk_buff, data_end);
SAME_IN(SkBuffMd, __sk_buff, remote_ip6);
SAME_IN(SkBuffMd, __sk_buff, data_meta);
SAME_IN(SkBuffMd, __sk_buff, flow_keys);
SAME_IN(SkBuffMd, __sk_buff, sk);
SAME_IN(SkBuffMd, __sk_buff, tstamp_type);
SAME_IN(SkBuffMd, __sk_buff, hwtstamp);

// Their enumerations are without names, and comparing enumerators of two is a warning.
constexpr bool same(auto ours, auto theirs) {
  return static_cast<std::uint64_t>(ours) == static_cast<std::uint64_t>(theirs);
}
static_assert(same(kStrictAlignment, BPF_F_STRICT_ALIGNMENT) && same(kXdpHasFrags, BPF_F_XDP_HAS_FRAGS));
static_assert(same(kSleepable, BPF_F_SLEEPABLE) && same(kTestStateFreq, BPF_F_TEST_STATE_FREQ));
static_assert(same(kTestXdpLiveFrames, BPF_F_TEST_XDP_LIVE_FRAMES));
static_assert(same(kReplace, BPF_F_REPLACE) && same(kQueryEffective, BPF_F_QUERY_EFFECTIVE));
static_assert(same(kRecomputeCsum, BPF_F_RECOMPUTE_CSUM) && same(kInvalidateHash, BPF_F_INVALIDATE_HASH));
static_assert(same(kPseudoHdr, BPF_F_PSEUDO_HDR) && same(kMarkMangled0, BPF_F_MARK_MANGLED_0));
static_assert(same(kMarkEnforce, BPF_F_MARK_ENFORCE) && same(kHdrFieldMask, BPF_F_HDR_FIELD_MASK));
static_assert(same(kIngress, BPF_F_INGRESS) && same(kBroadcast, BPF_F_BROADCAST) &&
              same(kExcludeIngress, BPF_F_EXCLUDE_INGRESS));
static_assert(same(kFixedGso, BPF_F_ADJ_ROOM_FIXED_GSO) && same(kEncapL2Eth, BPF_F_ADJ_ROOM_ENCAP_L2_ETH));
static_assert(same(kNoCsumReset, BPF_F_ADJ_ROOM_NO_CSUM_RESET) && same(kEncapL2Shift, BPF_ADJ_ROOM_ENCAP_L2_SHIFT));
static_assert(same(kIndexMask, BPF_F_INDEX_MASK) && same(kCtxlenMask, BPF_F_CTXLEN_MASK));
static_assert(same(kUserStack, BPF_F_USER_STACK) && same(kUserBuildId, BPF_F_USER_BUILD_ID));
static_assert(same(kForceWakeup, BPF_RB_FORCE_WAKEUP) && same(kRingbufDiscardBit, BPF_RINGBUF_DISCARD_BIT));
static_assert(static_cast<int>(TcAction::Redirect) == TC_ACT_REDIRECT &&
              static_cast<int>(TcAction::Trap) == TC_ACT_TRAP);
static_assert(static_cast<int>(XdpAction::Redirect) == XDP_REDIRECT);
static_assert(static_cast<int>(ProgType::Syscall) == BPF_PROG_TYPE_SYSCALL);
static_assert(static_cast<int>(MapType::UserRingbuf) == BPF_MAP_TYPE_USER_RINGBUF);

TEST(Uapi, LineInfoPacksLineAndColumn) {
  const LineInfo info{.insn_off = 0, .file_name_off = 0, .line_off = 0, .line_col = 42U << 10 | 7};
  EXPECT_EQ(info.line(), 42U);
  EXPECT_EQ(info.column(), 7U);
}

}  // namespace
}  // namespace skep::spec
