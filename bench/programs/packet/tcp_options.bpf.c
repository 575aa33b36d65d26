// TCP options: kinds and lengths, one after the other, with a bounds check for each step.
#include "program.h"

INLINE u32 options(const u8* at, const u8* end) {
  u32 sum = UNKNOWN(0u);
  for (u32 i = 0; i < 6; i++) {
    if (at + 1 > end) return sum;
    u8 kind = at[0];
    if (kind == 0) return sum;
    if (kind == 1) {
      at++;
      continue;
    }
    if (at + 2 > end) return sum;
    u8 length = at[1];
    if (length < 2 || length > 40) return sum | 1u << 31;
    if (kind == 2 && length == 4) {
      if (at + 4 > end) return sum;
      sum += (u32)at[2] << 8 | at[3];
    } else if (kind == 3) {
      if (at + 3 > end) return sum;
      sum += at[2];
    } else {
      sum += kind * 1000u;
    }
    at += length;
  }
  return sum;
}

PROGRAM(bench) {
  PACKET(packet);
  const u8* end = (const u8*)(long)ctx->data_end;
  u32 sum = 0;
  for (u32 i = 0; i < 8; i++) sum = sum * 7 + options(packet + i * 40, end);
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  static const u8 common[] = {2, 4, 5, 180, 4, 2, 8,  10, 1, 2, 3, 4, 0, 0, 0, 0, 1,
                              3, 3, 7, 1,   1, 5, 10, 9,  9, 9, 9, 8, 8, 8, 8, 0};
  for (u32 i = 0; i < kPacket; i++) packet[i] = i % 40 < sizeof common ? common[i % 40] : 0;
  for (u32 i = 0; i < 16; i += 3) packet[i * 40 + 16] = 0;
}
#endif
