// Two objects: a program with global functions (TARGET), and programs for their places (EXTENSION).
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#ifdef TARGET
__attribute__((noinline)) int first(struct xdp_md* ctx, int number) {
  volatile int result = number;
  if (ctx->data == ctx->data_end) ++result;
  return result;
}
__attribute__((noinline)) int second(struct xdp_md* ctx, int number) {
  volatile int result = number * 2;
  if (ctx->data == ctx->data_end) ++result;
  return result;
}
__attribute__((noinline)) int other_kind(int number) {
  volatile int result = number;
  return result;
}

SEC("xdp")
int target(struct xdp_md* ctx) { return first(ctx, 3) + 10 * second(ctx, 4) + 1000 * other_kind(0); }
#endif

#ifdef EXTENSION
int calls = 0;

static __attribute__((noinline)) int hundred(struct xdp_md* ctx) { return 99 + (ctx->data != ctx->data_end); }

SEC("freplace/first")
int by_hundred(struct xdp_md* ctx, int number) {
  __sync_fetch_and_add(&calls, 1);
  return number + hundred(ctx);
}

SEC("freplace/first")
int by_two_hundred(struct xdp_md* ctx, int number) {
  __sync_fetch_and_add(&calls, 1);
  return number + 200;
}
#endif
