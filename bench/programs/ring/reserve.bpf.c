// Records of 48 bytes, reserved, filled and submitted; every fourth is thought better of.
#include "program.h"

struct record {
  u64 number, hash;
  u32 word[8];
};
RING(records, 1 << 20);

PROGRAM(bench) {
  PACKET(packet);
  const u32* word = (const u32*)packet;
  u32 sum = 0;
  for (u32 i = 0; i < 16; i++) {
    struct record* record = bpf_ringbuf_reserve(&records, sizeof *record, 0);
    if (!record) continue;
    record->number = i;
    record->hash = word[i] * 31u;
    for (u32 j = 0; j < 8; j++) record->word[j] = word[i * 8 + j];
    sum += word[i * 8 + 3];
    if ((i & 3) == 3) {
      bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
    } else {
      bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
    }
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
