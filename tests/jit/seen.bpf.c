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

#define CASE(n) \
  case (n): value += (n); break;
#define CASES_4(n) CASE(n) CASE((n) + 1) CASE((n) + 2) CASE((n) + 3)
#define CASES_16(n) CASES_4(n) CASES_4((n) + 4) CASES_4((n) + 8) CASES_4((n) + 12)

SEC("xdp")
int chosen(struct xdp_md* ctx) {
  volatile unsigned value = ctx->data_end - ctx->data;
  switch (value) {
    CASES_16(60)
    CASES_16(76)
    CASES_16(92)
    CASES_16(108)
    default: value = 0;
  }
  return value ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
