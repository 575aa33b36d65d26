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
    case 60: value += 60; break;
    case 61: value += 61; break;
    case 62: value += 62; break;
    case 63: value += 63; break;
    case 64: value += 64; break;
    case 65: value += 65; break;
    case 66: value += 66; break;
    case 67: value += 67; break;
    case 68: value += 68; break;
    case 69: value += 69; break;
    case 70: value += 70; break;
    case 71: value += 71; break;
    case 72: value += 72; break;
    case 73: value += 73; break;
    case 74: value += 74; break;
    case 75: value += 75; break;
    case 76: value += 76; break;
    case 77: value += 77; break;
    case 78: value += 78; break;
    case 79: value += 79; break;
    case 80: value += 80; break;
    case 81: value += 81; break;
    case 82: value += 82; break;
    case 83: value += 83; break;
    default: value = 0;
  }
  return value ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
