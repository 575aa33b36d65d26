#include "common.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md* ctx) {
  __u64* record = bpf_ringbuf_reserve(&events, sizeof *record, 0);
  if (!record) return XDP_PASS;
  *record = bpf_ktime_get_ns();
  if (*record & 1) {
    bpf_ringbuf_discard(record, 0);
    return XDP_DROP;
  }
  bpf_ringbuf_submit(record, 0);
  return XDP_PASS;
}
LICENSE("GPL");
