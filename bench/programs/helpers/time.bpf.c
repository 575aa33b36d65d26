// The time, read around small pieces of work.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u64 before = bpf_ktime_get_ns(), backwards = 0, sum = 0;
  for (u32 i = 0; i < 16; i++) {
    for (u32 j = 0; j < 8; j++) sum = sum * 3 + packet[i * 8 + j];
    u64 now = bpf_ktime_get_ns();
    backwards += now < before;
    before = now;
  }
  return (s32)(sum + backwards);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
