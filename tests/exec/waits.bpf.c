// For waits.c: a program that sends one record to each kind of buffer, and one that reads what user space sends.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} records SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, 4);
  __uint(value_size, 4);
} samples SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
  __uint(max_entries, 4096);
} orders SEC(".maps");

char _license[] SEC("license") = "GPL";
__u64 number = 0;
__u64 ordered = 0;
long sampled = 0;

SEC("xdp")
int send(struct xdp_md* ctx) {
  ++number;
  bpf_ringbuf_output(&records, &number, sizeof(number), 0);
  return XDP_PASS;
}

SEC("xdp")
int sample(struct xdp_md* ctx) {
  ++number;
  sampled = bpf_perf_event_output(ctx, &samples, BPF_F_CURRENT_CPU, &number, sizeof(number));
  return XDP_PASS;
}

// To the first CPU's event, on which it runs.
SEC("xdp")
int sample_first(struct xdp_md* ctx) {
  ++number;
  sampled = bpf_perf_event_output(ctx, &samples, 0, &number, sizeof(number));
  return XDP_PASS;
}

static long take(struct bpf_dynptr* order, void* context) {
  __u64 value = 0;
  bpf_dynptr_read(&value, sizeof(value), order, 0, 0);
  ordered += value;
  return 0;
}

SEC("xdp")
int receive(struct xdp_md* ctx) {
  bpf_user_ringbuf_drain(&orders, take, 0, 0);
  return XDP_PASS;
}
