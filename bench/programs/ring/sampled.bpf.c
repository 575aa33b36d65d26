// Events for every eighth packet only, behind a decision: small records of 16 bytes.
#include "program.h"

struct event {
  u32 kind, length;
  u64 key;
};
RING(events, 1 << 20);

PROGRAM(bench) {
  PACKET(packet);
  const u64* word = (const u64*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 128; i++) {
    u64 key = word[i] * 0x9e3779b97f4a7c15ULL;
    sum = sum * 3 + (u32)(key >> 40);
    if (key >> 61) continue;
    struct event* event = bpf_ringbuf_reserve(&events, sizeof *event, 0);
    if (!event) continue;
    event->kind = i & 3, event->length = 16, event->key = key;
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
