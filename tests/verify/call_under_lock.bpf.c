#include "locked.h"

SEC("tc")
int stamp(struct __sk_buff* skb) {
  __u32 key = 0;
  struct locked* value = bpf_map_lookup_elem(&locks, &key);
  if (!value) return TC_ACT_OK;
  bpf_spin_lock(&value->lock);
  value->number = bpf_get_prandom_u32();
  bpf_spin_unlock(&value->lock);
  return TC_ACT_OK;
}
LICENSE("GPL");
