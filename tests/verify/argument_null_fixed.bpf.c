#include "common.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, 4);
        __type(key, __u32);
        __type(value, __u32);
      });
} outer SEC(".maps");

SEC("xdp")
int inner(struct xdp_md* ctx) {
  __u32 key = 0;
  void* map = bpf_map_lookup_elem(&outer, &key);
  if (!map) return XDP_PASS;
  return bpf_map_lookup_elem(map, &key) ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
