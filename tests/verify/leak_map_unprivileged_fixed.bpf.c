#include "common.h"

SEC("socket")
int keep(struct __sk_buff* skb) {
  __u32 key = 1;
  struct entry* entry = bpf_map_lookup_elem(&entries, &key);
  if (!entry) return 0;
  entry->packets = skb->len;
  return 0;
}
LICENSE("GPL");
