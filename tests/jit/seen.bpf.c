// Programs for tools to look at: `told` calls a helper from a subprogram, `busy` spends time in one, `chosen` has a
// switch of many cases.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int say(int number) {
  volatile int kept = number;
  bpf_printk("number %d", kept);  // gdb stops in this helper
  return kept + 1;
}

SEC("xdp")
int told(struct xdp_md* ctx) {
  volatile int length = ctx->data_end - ctx->data;
  length += say(length);
  return length ? XDP_PASS : XDP_DROP;
}

static __attribute__((noinline)) int churn(unsigned seed) {
  volatile unsigned state = seed;
  for (int i = 0; i < 2000; ++i) state = state * 1664525 + 1013904223;
  return state;
}

SEC("xdp")
int busy(struct xdp_md* ctx) {
  volatile unsigned length = ctx->data_end - ctx->data;
  return churn(length) == 17 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int chosen(struct xdp_md* ctx) {
  volatile unsigned value = ctx->data_end - ctx->data;
  switch (value) {
#define CASE(n) \
  case n: value += n; break;
    CASE(60)
    CASE(61)
    CASE(62) CASE(63) CASE(64) CASE(65) CASE(66) CASE(67) CASE(68) CASE(69) CASE(70) CASE(71) CASE(72) CASE(73) CASE(74)
        CASE(75) CASE(76) CASE(77) CASE(78) CASE(79) CASE(80) CASE(81) CASE(82) CASE(83) default : value = 0;
  }
  return value ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
