// For a light skeleton: global data, a map with a value of its own type, and an iterator.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter_meta {
  struct seq_file* seq;
};
struct bpf_map {
  __u32 id;
  char name[16];
};
struct bpf_iter__bpf_map {
  struct bpf_iter_meta* meta;
  struct bpf_map* map;
};
#pragma clang attribute pop

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} light_hash SEC(".maps");

const volatile __u32 wanted = 1;
__u64 seen = 5;

SEC("iter/bpf_map")
int list_light(struct bpf_iter__bpf_map* ctx) {
  const __u32 key = 1;
  struct bpf_map* map = ctx->map;
  if (!map) return 0;
  seen += wanted;
  bpf_map_update_elem(&light_hash, &key, &seen, BPF_ANY);
  BPF_SEQ_PRINTF(ctx->meta->seq, "light %s\n", map->name);
  return 0;
}

SEC("xdp")
int count(struct xdp_md* ctx) {
  seen += ctx->data_end - ctx->data;
  return XDP_PASS;
}
