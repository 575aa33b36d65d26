// A chain of sixteen tail calls through a program array, each of which adds a little.
#include "program.h"

static u32 sum, depth;

#define LINKS 16
#ifdef __bpf__
int link_program(struct xdp_md* ctx);
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 2);
  __type(key, u32);
  __array(values, int(void*));
} programs SEC(".maps") = {.values = {[1] = (void*)&link_program}};
#else
static int link_program(struct xdp_md* ctx);
static int (*volatile const programs[2])(struct xdp_md*) = {0, link_program};
#define bpf_tail_call(ctx, table, index)                            \
  do {                                                              \
    int (*next)(struct xdp_md*) = (index) < 2 ? (table)[index] : 0; \
    if (next) return next(ctx);                                     \
  } while (0)
#endif

#ifdef __bpf__
SEC("xdp")
int
#else
static int
#endif
link_program(struct xdp_md* ctx) {
  PACKET(packet);
  sum = sum * 3 + packet[7] + depth;
  if (++depth >= LINKS) return (s32)sum;
#ifdef __bpf__
  bpf_tail_call(ctx, &programs, 1);
#else
  bpf_tail_call(ctx, programs, 1);
#endif
  return -1;
}

PROGRAM(bench) {
  sum = 1, depth = 0;
#ifdef __bpf__
  bpf_tail_call(ctx, &programs, 1);
#else
  bpf_tail_call(ctx, programs, 1);
#endif
  return -2;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
