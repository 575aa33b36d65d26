// The types of a kernel that has only what a hive has, for machines whose kernel says nothing of its own
// (/sys/kernel/btf/vmlinux of the overlay). It is compiled for its BTF only.
//
// In it are: what programs are given and what packets are made of, as the headers of this machine have it; the
// structures that iterators show, with the members that a hive sets (hive/kernel_objects.h); the functions that
// iterators are attached to (hive/iterators.def) and the kernel functions that run here. Names and types are the
// kernel's, layouts are this file's: who reads these structures relocates himself by this BTF. Tested by:
// host/kernel_types_test.cc.
#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/version.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef _Bool bool;

struct vlan_hdr {
  __be16 h_vlan_TCI;
  __be16 h_vlan_encapsulated_proto;
};

// ---- What iterators show

struct seq_file {
  char* buf;
  unsigned long size;
  unsigned long count;
};

struct bpf_iter_meta {
  union {
    struct seq_file* seq;
  };
  u64 session_id;
  u64 seq_num;
};

struct bpf_map {
  enum bpf_map_type map_type;
  u32 key_size;
  u32 value_size;
  u32 max_entries;
  u64 map_extra;
  u32 map_flags;
  u32 id;
  u32 btf_key_type_id;
  u32 btf_value_type_id;
  char name[BPF_OBJ_NAME_LEN];
  bool frozen;
};

struct bpf_array {
  struct bpf_map map;
  u32 elem_size;
  u32 index_mask;
};

struct bpf_htab {
  struct bpf_map map;
  u32 n_buckets;
  u32 elem_size;
};

struct bpf_prog_aux;

struct bpf_prog {
  u16 gpl_compatible : 1;
  enum bpf_prog_type type;
  enum bpf_attach_type expected_attach_type;
  u32 len;
  u8 tag[BPF_TAG_SIZE];
  struct bpf_prog_aux* aux;
};

struct bpf_prog_aux {
  u32 id;
  u32 attach_btf_id;
  u32 verified_insns;
  u64 load_time;
  struct bpf_prog* dst_prog;
  struct bpf_prog* prog;
  const char* attach_func_name;
  char name[BPF_OBJ_NAME_LEN];
};

struct bpf_link {
  u32 id;
  enum bpf_link_type type;
  struct bpf_prog* prog;
};

struct kallsym_iter {
  unsigned long value;
  char type;
  char name[512];
  char module_name[56];
  int show_value;
};

#define CONTEXT(name, ...)         \
  struct bpf_iter__##name {        \
    union {                        \
      struct bpf_iter_meta* meta;  \
    };                             \
    __VA_ARGS__                    \
  }
#define POINTER(type, name) \
  union {                   \
    type* name;             \
  };
CONTEXT(bpf_map, POINTER(struct bpf_map, map));
CONTEXT(bpf_prog, POINTER(struct bpf_prog, prog));
CONTEXT(bpf_link, POINTER(struct bpf_link, link));
CONTEXT(bpf_map_elem, POINTER(struct bpf_map, map) POINTER(void, key) POINTER(void, value));
CONTEXT(ksym, POINTER(struct kallsym_iter, ksym));

// ---- What is nowhere but in the arguments of the functions below

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
struct bpf_iter_num {
  __u64 __opaque[1];
};
#endif
struct bpf_iter_bits {
  __u64 __opaque[2];
};

#pragma GCC diagnostic ignored "-Wunused-parameter"

// ---- Functions that iterators are attached to

int bpf_iter_bpf_map(struct bpf_iter_meta* meta, struct bpf_map* map) { return 0; }
int bpf_iter_bpf_prog(struct bpf_iter_meta* meta, struct bpf_prog* prog) { return 0; }
int bpf_iter_bpf_link(struct bpf_iter_meta* meta, struct bpf_link* link) { return 0; }
int bpf_iter_bpf_map_elem(struct bpf_iter_meta* meta, struct bpf_map* map, void* key, void* value) { return 0; }
int bpf_iter_ksym(struct bpf_iter_meta* meta, struct kallsym_iter* ksym) { return 0; }

// ---- Kernel functions: the ends of their arguments' names say what the verifier asks of them

void bpf_rcu_read_lock(void) {}
void bpf_rcu_read_unlock(void) {}
void bpf_preempt_disable(void) {}
void bpf_preempt_enable(void) {}
s64 bpf_map_sum_elem_count(const struct bpf_map* map) { return 0; }
int bpf_iter_num_new(struct bpf_iter_num* it, int start, int end) { return 0; }
int* bpf_iter_num_next(struct bpf_iter_num* it) { return 0; }
void bpf_iter_num_destroy(struct bpf_iter_num* it) {}
int bpf_iter_bits_new(struct bpf_iter_bits* it, const u64* unsafe_ptr__ign, u32 nr_words) { return 0; }
int* bpf_iter_bits_next(struct bpf_iter_bits* it) { return 0; }
void bpf_iter_bits_destroy(struct bpf_iter_bits* it) {}
void* bpf_dynptr_slice(const struct bpf_dynptr* p, u32 offset, void* buffer__opt, u32 buffer__szk) { return 0; }
void* bpf_dynptr_slice_rdwr(const struct bpf_dynptr* p, u32 offset, void* buffer__opt, u32 buffer__szk) { return 0; }
int bpf_dynptr_adjust(const struct bpf_dynptr* p, u32 start, u32 end) { return 0; }
bool bpf_dynptr_is_null(const struct bpf_dynptr* p) { return 0; }
bool bpf_dynptr_is_rdonly(const struct bpf_dynptr* p) { return 0; }
u32 bpf_dynptr_size(const struct bpf_dynptr* p) { return 0; }
int bpf_dynptr_clone(const struct bpf_dynptr* p, struct bpf_dynptr* clone__uninit) { return 0; }
int bpf_dynptr_from_skb(struct __sk_buff* s, u64 flags, struct bpf_dynptr* ptr__uninit) { return 0; }
int bpf_dynptr_from_xdp(struct xdp_md* x, u64 flags, struct bpf_dynptr* ptr__uninit) { return 0; }

// ---- All else, so that it is in the BTF

struct skep_all {
  struct xdp_md xdp;
  struct __sk_buff skb;
  struct bpf_sock sock;
  struct bpf_sock_addr sock_addr;
  struct bpf_sock_ops sock_ops;
  struct bpf_sockopt sockopt;
  struct bpf_sysctl sysctl;
  struct bpf_cgroup_dev_ctx cgroup_device;
  struct sk_msg_md message;
  struct sk_reuseport_md reuseport;
  struct bpf_sk_lookup sk_lookup;
  struct bpf_flow_keys flow;
  struct bpf_tcp_sock tcp_sock;
  struct bpf_sock_tuple tuple;
  struct bpf_fib_lookup route;
  struct bpf_redir_neigh neighbour;
  struct bpf_tunnel_key tunnel;
  struct bpf_timer timer;
  struct bpf_spin_lock lock;
  struct ethhdr ethernet;
  struct vlan_hdr vlan;
  struct iphdr ip;
  struct ipv6hdr ip6;
  struct tcphdr tcp;
  struct udphdr udp;
  struct icmphdr icmp;
  struct icmp6hdr icmp6;
  struct in_addr address;
  struct in6_addr address6;
  struct seq_file file;
  struct bpf_prog_aux program;
  struct bpf_link link;
  struct kallsym_iter symbol;
  struct bpf_iter__bpf_map maps;
  struct bpf_iter__bpf_prog programs;
  struct bpf_iter__bpf_link links;
  struct bpf_iter__bpf_map_elem elements;
  struct bpf_iter__ksym symbols;
  struct bpf_array array;
  struct bpf_htab hash;
  enum bpf_func_id helper;
  enum xdp_action action;
  enum bpf_cmd command;
};
void skep_types(struct skep_all* all) {}
