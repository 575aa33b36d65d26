// A loop by bpf_loop: its body is a subprogram, its state on the stack.
#include "program.h"

struct state {
  u64 a, b;
};

static long body(u32 i, void* context) {
  struct state* state = context;
  u64 next = state->a * 3 + state->b + i;
  state->a = state->b, state->b = next;
  return next == 42;
}

PROGRAM(bench) {
  struct state state = {1, 2};
  long rounds = bpf_loop(500, body, &state, 0);
  return (s32)(state.b + (u64)rounds);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
