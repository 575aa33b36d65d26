// Differences of checksums by bpf_csum_diff: an address changed, and a header of 20 bytes summed.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 32; i++) {
    u32* at = (u32*)(packet + i * 64);
    u32 before = at[0], after = before ^ i;
    u64 changed = (u64)bpf_csum_diff(&before, 4, &after, 4, 0);
    u64 whole = (u64)bpf_csum_diff(0, 0, at, 20, 0);
    changed = (changed & 0xffff) + (changed >> 16), whole = (whole & 0xffff) + (whole >> 16);
    changed = (changed & 0xffff) + (changed >> 16), whole = (whole & 0xffff) + (whole >> 16);
    sum = sum * 3 + (u32)(changed % 0xffff) + (u32)(whole % 0xffff);
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
