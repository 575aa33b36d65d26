// Records of 40 bytes put together on the stack and copied into the ring.
#include "program.h"

struct record {
  u64 number, hash;
  u32 word[6];
};
RING(records, 1 << 20);

PROGRAM(bench) {
  PACKET(packet);
  const u32* word = (const u32*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 16; i++) {
    struct record record = {.number = i, .hash = word[i] * 31u};
    for (u32 j = 0; j < 6; j++) record.word[j] = word[i * 8 + j];
    sum += (u32)bpf_ringbuf_output(&records, &record, sizeof record, BPF_RB_NO_WAKEUP) + word[i];
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
