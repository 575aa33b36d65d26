#include "locked.h"

SEC("tc")
int add(struct __sk_buff* skb) {
  __u32 key = 0;
  struct locked* value = bpf_map_lookup_elem(&locks, &key);
  if (!value) return TC_ACT_OK;
  bpf_spin_lock(&value->lock);
  int full = value->number > 10;
  if (!full) value->number++;
  bpf_spin_unlock(&value->lock);
  return full ? TC_ACT_SHOT : TC_ACT_OK;
}
LICENSE("GPL");
