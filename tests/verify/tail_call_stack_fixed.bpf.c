#include "common.h"

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u32);
} programs SEC(".maps");

static __attribute__((noinline)) int next(struct __sk_buff* skb) {
  bpf_tail_call(skb, &programs, 1);
  return 0;
}

SEC("tc")
int start(struct __sk_buff* skb) {
  char buffer[200] = {};
  bpf_skb_load_bytes(skb, 0, buffer, sizeof buffer);
  return next(skb) + buffer[5];
}
LICENSE("GPL");
