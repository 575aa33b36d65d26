// What a libbpf program typically uses: global data, a hash and a per-CPU map, a tail call, a callback, a ring buffer.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct event {
  __u64 packet;
  __u32 length;
  __u32 sum;
};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} by_length SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} runs SEC(".maps");

int report(struct xdp_md* ctx);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, int(void*));
} stages SEC(".maps") = {.values = {[1] = (void*)&report}};

const volatile __u32 weight = 1;
__u64 packets = 0;

struct fold {
  __u32 sum;
};

static long add(__u32 index, struct fold* fold) {
  fold->sum += index * weight;
  return 0;
}

__attribute__((noinline)) int length_of(struct xdp_md* ctx) { return ctx->data_end - ctx->data; }

SEC("xdp")
int report(struct xdp_md* ctx) {
  struct fold fold = {};
  struct event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) return XDP_ABORTED;
  bpf_loop(5, add, &fold, 0);
  event->packet = packets;
  event->length = length_of(ctx);
  event->sum = fold.sum;
  bpf_ringbuf_submit(event, 0);
  return XDP_TX;
}

SEC("xdp")
int count(struct xdp_md* ctx) {
  __u32 zero = 0, length = length_of(ctx);
  __u64 one = 1, *seen = bpf_map_lookup_elem(&by_length, &length), *run = bpf_map_lookup_elem(&runs, &zero);
  if (run) ++*run;
  if (seen)
    __sync_fetch_and_add(seen, 1);
  else
    bpf_map_update_elem(&by_length, &length, &one, BPF_NOEXIST);
  __sync_fetch_and_add(&packets, 1);
  bpf_tail_call(ctx, &stages, 1);
  return XDP_DROP;
}
