// What BPF_OBJ_GET_INFO_BY_FD writes, and the records of PROG_LOAD's debug information, as Linux 6.12 lays them out.
// Source: linux/bpf.h, Linux 6.12. Tested by: spec/uapi_test.cc (against linux/bpf.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "btf/ext.h"
#include "spec/attr.h"

namespace skep::spec {

struct ProgInfo {
  std::uint32_t type;
  std::uint32_t id;
  std::uint8_t tag[8];  // first bytes of the SHA-1 over the instructions as loaded
  std::uint32_t jited_prog_len;
  std::uint32_t xlated_prog_len;
  std::uint64_t jited_prog_insns;
  std::uint64_t xlated_prog_insns;
  std::uint64_t load_time;  // nanoseconds since boot
  std::uint32_t created_by_uid;
  std::uint32_t nr_map_ids;
  std::uint64_t map_ids;
  char name[kObjNameBytes];
  std::uint32_t ifindex;
  std::uint32_t gpl_compatible;  // bit 0 only
  std::uint64_t netns_dev;
  std::uint64_t netns_ino;
  std::uint32_t nr_jited_ksyms;
  std::uint32_t nr_jited_func_lens;
  std::uint64_t jited_ksyms;
  std::uint64_t jited_func_lens;
  std::uint32_t btf_id;
  std::uint32_t func_info_rec_size;
  std::uint64_t func_info;
  std::uint32_t nr_func_info;
  std::uint32_t nr_line_info;
  std::uint64_t line_info;
  std::uint64_t jited_line_info;
  std::uint32_t nr_jited_line_info;
  std::uint32_t line_info_rec_size;
  std::uint32_t jited_line_info_rec_size;
  std::uint32_t nr_prog_tags;
  std::uint64_t prog_tags;
  std::uint64_t run_time_ns;
  std::uint64_t run_cnt;
  std::uint64_t recursion_misses;
  std::uint32_t verified_insns;
  std::uint32_t attach_btf_obj_id;
  std::uint32_t attach_btf_id;
  std::uint32_t pad;
};
static_assert(sizeof(ProgInfo) == 232);

struct MapInfo {
  std::uint32_t type;
  std::uint32_t id;
  std::uint32_t key_size;
  std::uint32_t value_size;
  std::uint32_t max_entries;
  std::uint32_t map_flags;
  char name[kObjNameBytes];
  std::uint32_t ifindex;
  std::uint32_t btf_vmlinux_value_type_id;
  std::uint64_t netns_dev;
  std::uint64_t netns_ino;
  std::uint32_t btf_id;
  std::uint32_t btf_key_type_id;
  std::uint32_t btf_value_type_id;
  std::uint32_t btf_vmlinux_id;
  std::uint64_t map_extra;
};
static_assert(sizeof(MapInfo) == 88);

struct BtfInfo {
  std::uint64_t btf;
  std::uint32_t btf_size;
  std::uint32_t id;
  std::uint64_t name;
  std::uint32_t name_len;
  std::uint32_t kernel_btf;
};
static_assert(sizeof(BtfInfo) == 32);

struct LinkInfo {
  struct RawTracepoint {
    std::uint64_t tp_name;
    std::uint32_t tp_name_len;
    std::uint32_t pad;
  };
  struct Tracing {
    std::uint32_t attach_type;
    std::uint32_t target_obj_id;
    std::uint32_t target_btf_id;
  };
  struct Cgroup {
    std::uint64_t cgroup_id;
    std::uint32_t attach_type;
    std::uint32_t pad;
  };
  struct Iter {
    std::uint64_t target_name;
    std::uint32_t target_name_len;
    std::uint32_t map_id;
    struct CgroupOrder {
      std::uint64_t cgroup_id;
      std::uint32_t order;
      std::uint32_t pad;
    };
    struct Task {
      std::uint32_t tid;
      std::uint32_t pid;
    };
    union {
      CgroupOrder cgroup;
      Task task;
    };
  };
  struct Netns {
    std::uint32_t netns_ino;
    std::uint32_t attach_type;
  };
  struct Xdp {
    std::uint32_t ifindex;
  };
  struct MapOf {  // struct_ops
    std::uint32_t map_id;
  };
  struct Netfilter {
    std::uint32_t pf;
    std::uint32_t hooknum;
    std::int32_t priority;
    std::uint32_t flags;
  };
  struct KprobeMulti {
    std::uint64_t addrs;
    std::uint32_t count;
    std::uint32_t flags;
    std::uint64_t missed;
    std::uint64_t cookies;
  };
  struct UprobeMulti {
    std::uint64_t path;
    std::uint64_t offsets;
    std::uint64_t ref_ctr_offsets;
    std::uint64_t cookies;
    std::uint32_t path_size;
    std::uint32_t count;
    std::uint32_t flags;
    std::uint32_t pid;
  };
  struct PerfEvent {
    std::uint32_t type;
    std::uint32_t pad;
    struct Uprobe {
      std::uint64_t file_name;
      std::uint32_t name_len;
      std::uint32_t offset;
      std::uint64_t cookie;
    };
    struct Kprobe {
      std::uint64_t func_name;
      std::uint32_t name_len;
      std::uint32_t offset;
      std::uint64_t addr;
      std::uint64_t missed;
      std::uint64_t cookie;
    };
    struct Tracepoint {
      std::uint64_t tp_name;
      std::uint32_t name_len;
      std::uint32_t pad;
      std::uint64_t cookie;
    };
    struct Event {
      std::uint64_t config;
      std::uint32_t type;
      std::uint32_t pad;
      std::uint64_t cookie;
    };
    union {
      Uprobe uprobe;
      Kprobe kprobe;
      Tracepoint tracepoint;
      Event event;
    };
  };
  struct Device {  // tcx, netkit
    std::uint32_t ifindex;
    std::uint32_t attach_type;
  };
  struct Sockmap {
    std::uint32_t map_id;
    std::uint32_t attach_type;
  };

  std::uint32_t type;
  std::uint32_t id;
  std::uint32_t prog_id;
  std::uint32_t pad;
  union {
    UprobeMulti uprobe_multi;  // the largest
    RawTracepoint raw_tracepoint;
    Tracing tracing;
    Cgroup cgroup;
    Iter iter;
    Netns netns;
    Xdp xdp;
    MapOf struct_ops;
    Netfilter netfilter;
    KprobeMulti kprobe_multi;
    PerfEvent perf_event;
    Device tcx;
    Device netkit;
    Sockmap sockmap;
  };
};
static_assert(sizeof(LinkInfo) == 64);

using FuncInfo = btf::FuncInfo;  // struct bpf_func_info
using LineInfo = btf::LineInfo;  // struct bpf_line_info

}  // namespace skep::spec
