#include "locked.h"

SEC("tc")
int add(struct __sk_buff* skb) {
  __u32 key = 0;
  struct locked* value = bpf_map_lookup_elem(&locks, &key);
  if (!value) return TC_ACT_OK;
  bpf_spin_lock(&value->lock);
  if (value->number > 10) return TC_ACT_SHOT;
  value->number++;
  bpf_spin_unlock(&value->lock);
  return TC_ACT_OK;
}
LICENSE("GPL");
