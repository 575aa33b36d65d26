#include "common.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("socket")
int copy(struct __sk_buff* skb) {
  char buffer[64] = {};
  __u64 size = bpf_ktime_get_ns() >> 1;
  bpf_ringbuf_output(&events, buffer, size, 0);
  return buffer[0];
}
LICENSE("GPL");
