#include "common.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("socket")
int copy(struct __sk_buff* skb) {
  char buffer[64] = {};
  long size = (long)(skb->len & 127) - 64;
  if (size < 1 || size > 64) return 0;
  bpf_ringbuf_output(&events, buffer, size, 0);
  return buffer[0];
}
LICENSE("GPL");
