// union bpf_attr, the argument of bpf(2), as Linux 6.12 lays it out: one member per group of commands.
//
// Declared here and not taken from linux/bpf.h, because that header is as old or new as the machine. Which member and
// which last field belong to a command is in commands.def. Padding that C would insert is spelled out, so that
// every byte belongs to a member. Source: linux/bpf.h, Linux 6.12. Tested by: spec/uapi_test.cc (against linux/bpf.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::spec {

inline constexpr std::size_t kObjNameBytes = 16;  // BPF_OBJ_NAME_LEN, with the NUL

struct AttrMapCreate {
  std::uint32_t map_type;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t map_flags;
  std::uint32_t inner_map_fd;
  std::uint32_t numa_node;
  char map_name[kObjNameBytes];
  std::uint32_t map_ifindex;
  std::uint32_t btf_fd;
  std::uint32_t btf_key_type_id;
  std::uint32_t btf_value_type_id;
  std::uint32_t btf_vmlinux_value_type_id;
  std::uint64_t map_extra;
  std::int32_t value_type_btf_obj_fd;
  std::int32_t map_token_fd;
};

struct AttrElem {
  std::uint32_t map_fd;
  std::uint32_t pad;
  std::uint64_t key;
  union {
    std::uint64_t value;
    std::uint64_t next_key;
  };
  std::uint64_t flags;
};

struct AttrBatch {
  std::uint64_t in_batch;
  std::uint64_t out_batch;
  std::uint64_t keys;
  std::uint64_t values;
  std::uint32_t count;
  std::uint32_t map_fd;
  std::uint64_t elem_flags;
  std::uint64_t flags;
};

struct AttrProgLoad {
  std::uint32_t prog_type;
  std::uint32_t insn_cnt;
  std::uint64_t insns;
  std::uint64_t license;
  std::uint32_t log_level;
  std::uint32_t log_size;
  std::uint64_t log_buf;
  std::uint32_t kern_version;
  std::uint32_t prog_flags;
  char prog_name[kObjNameBytes];
  std::uint32_t prog_ifindex;
  std::uint32_t expected_attach_type;
  std::uint32_t prog_btf_fd;
  std::uint32_t func_info_rec_size;
  std::uint64_t func_info;
  std::uint32_t func_info_cnt;
  std::uint32_t line_info_rec_size;
  std::uint64_t line_info;
  std::uint32_t line_info_cnt;
  std::uint32_t attach_btf_id;
  union {
    std::uint32_t attach_prog_fd;
    std::uint32_t attach_btf_obj_fd;
  };
  std::uint32_t core_relo_cnt;
  std::uint64_t fd_array;
  std::uint64_t core_relos;
  std::uint32_t core_relo_rec_size;
  std::uint32_t log_true_size;  // written back
  std::int32_t prog_token_fd;
  std::uint32_t pad;
};

struct AttrObj {  // OBJ_PIN, OBJ_GET
  std::uint64_t pathname;
  std::uint32_t bpf_fd;
  std::uint32_t file_flags;
  std::int32_t path_fd;
  std::uint32_t pad;
};

struct AttrAttach {  // PROG_ATTACH, PROG_DETACH
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_bpf_fd;
  std::uint32_t attach_type;
  std::uint32_t attach_flags;
  std::uint32_t replace_bpf_fd;
  union {
    std::uint32_t relative_fd;
    std::uint32_t relative_id;
  };
  std::uint64_t expected_revision;
};

struct AttrTest {
  std::uint32_t prog_fd;
  std::uint32_t retval;         // written back
  std::uint32_t data_size_in;   // bytes
  std::uint32_t data_size_out;  // bytes of room; written back: bytes there were
  std::uint64_t data_in;
  std::uint64_t data_out;
  std::uint32_t repeat;
  std::uint32_t duration;  // written back: nanoseconds of one run, on average
  std::uint32_t ctx_size_in;
  std::uint32_t ctx_size_out;
  std::uint64_t ctx_in;
  std::uint64_t ctx_out;
  std::uint32_t flags;
  std::uint32_t cpu;
  std::uint32_t batch_size;
  std::uint32_t pad;
};

struct AttrId {  // *_GET_NEXT_ID, *_GET_FD_BY_ID
  union {
    std::uint32_t start_id;
    std::uint32_t prog_id;
    std::uint32_t map_id;
    std::uint32_t btf_id;
    std::uint32_t link_id;
  };
  std::uint32_t next_id;  // written back
  std::uint32_t open_flags;
};

struct AttrInfo {
  std::uint32_t bpf_fd;
  std::uint32_t info_len;  // written back
  std::uint64_t info;
};

struct AttrQuery {
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_type;
  std::uint32_t query_flags;
  std::uint32_t attach_flags;
  std::uint64_t prog_ids;
  union {
    std::uint32_t prog_cnt;
    std::uint32_t count;
  };
  std::uint32_t pad;
  std::uint64_t prog_attach_flags;
  std::uint64_t link_ids;
  std::uint64_t link_attach_flags;
  std::uint64_t revision;
};

struct AttrRawTracepoint {
  std::uint64_t name;
  std::uint32_t prog_fd;
  std::uint32_t pad;
  std::uint64_t cookie;
};

struct AttrBtfLoad {
  std::uint64_t btf;
  std::uint64_t btf_log_buf;
  std::uint32_t btf_size;
  std::uint32_t btf_log_size;
  std::uint32_t btf_log_level;
  std::uint32_t btf_log_true_size;  // written back
  std::uint32_t btf_flags;
  std::int32_t btf_token_fd;
};

struct AttrTaskFdQuery {
  std::uint32_t pid;
  std::uint32_t fd;
  std::uint32_t flags;
  std::uint32_t buf_len;
  std::uint64_t buf;
  std::uint32_t prog_id;
  std::uint32_t fd_type;
  std::uint64_t probe_offset;
  std::uint64_t probe_addr;
};

struct AttrLinkCreate {
  struct Iter {
    std::uint64_t iter_info;
    std::uint32_t iter_info_len;
    std::uint32_t pad;
  };
  struct PerfEvent {
    std::uint64_t bpf_cookie;
  };
  struct KprobeMulti {
    std::uint32_t flags;
    std::uint32_t cnt;
    std::uint64_t syms;
    std::uint64_t addrs;
    std::uint64_t cookies;
  };
  struct Tracing {
    std::uint32_t target_btf_id;
    std::uint32_t pad;
    std::uint64_t cookie;
  };
  struct Netfilter {
    std::uint32_t pf;
    std::uint32_t hooknum;
    std::int32_t priority;
    std::uint32_t flags;
  };
  struct Relative {  // tcx, netkit
    union {
      std::uint32_t relative_fd;
      std::uint32_t relative_id;
    };
    std::uint32_t pad;
    std::uint64_t expected_revision;
  };
  struct UprobeMulti {
    std::uint64_t path;
    std::uint64_t offsets;
    std::uint64_t ref_ctr_offsets;
    std::uint64_t cookies;
    std::uint32_t cnt;
    std::uint32_t flags;
    std::uint32_t pid;
    std::uint32_t pad;
  };

  union {
    std::uint32_t prog_fd;
    std::uint32_t map_fd;
  };
  union {
    std::uint32_t target_fd;
    std::uint32_t target_ifindex;
  };
  std::uint32_t attach_type;
  std::uint32_t flags;
  union {
    std::uint32_t target_btf_id;
    Iter iter;
    PerfEvent perf_event;
    KprobeMulti kprobe_multi;
    Tracing tracing;
    Netfilter netfilter;
    Relative tcx;
    UprobeMulti uprobe_multi;
    Relative netkit;
  };
};

struct AttrLinkUpdate {
  std::uint32_t link_fd;
  union {
    std::uint32_t new_prog_fd;
    std::uint32_t new_map_fd;
  };
  std::uint32_t flags;
  union {
    std::uint32_t old_prog_fd;
    std::uint32_t old_map_fd;
  };
};

struct AttrLinkDetach {
  std::uint32_t link_fd;
};

struct AttrEnableStats {
  std::uint32_t type;
};

struct AttrIterCreate {
  std::uint32_t link_fd;
  std::uint32_t flags;
};

struct AttrProgBindMap {
  std::uint32_t prog_fd;
  std::uint32_t map_fd;
  std::uint32_t flags;
};

struct AttrTokenCreate {
  std::uint32_t flags;
  std::uint32_t bpffs_fd;
};

union Attr {
  AttrProgLoad prog_load;  // the largest: value-initialising the union clears all of it
  AttrMapCreate map_create;
  AttrElem elem;
  AttrBatch batch;
  AttrObj obj;
  AttrAttach attach;
  AttrTest test;
  AttrId id;
  AttrInfo info;
  AttrQuery query;
  AttrRawTracepoint raw_tracepoint;
  AttrBtfLoad btf_load;
  AttrTaskFdQuery task_fd_query;
  AttrLinkCreate link_create;
  AttrLinkUpdate link_update;
  AttrLinkDetach link_detach;
  AttrEnableStats enable_stats;
  AttrIterCreate iter_create;
  AttrProgBindMap prog_bind_map;
  AttrTokenCreate token_create;
};
static_assert(sizeof(Attr) == 152 && sizeof(AttrProgLoad) == sizeof(Attr));

}  // namespace skep::spec
