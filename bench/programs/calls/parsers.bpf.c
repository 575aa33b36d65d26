// A cursor in a structure on the stack, handed to subprograms: how larger parsers are split.
#include "program.h"

struct cursor {
  u32 at, left, errors;
};

CALLED u32 take(struct cursor* cursor, u32 bytes) {
  u32 at = cursor->at;
  if (cursor->left < bytes) {
    cursor->errors++;
    return 0;
  }
  cursor->at += bytes, cursor->left -= bytes;
  return at;
}

CALLED u32 header(struct cursor* cursor, u32 seed) {
  u32 a = take(cursor, 4), b = take(cursor, 2 + (seed & 3));
  return a * 31 + b;
}

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  for (u32 i = 0; i < 100; i++) {
    struct cursor cursor = {.at = i, .left = 10 + (packet[i] & 31), .errors = 0};
    sum += header(&cursor, packet[i]) + header(&cursor, sum);
    sum = sum * 3 + cursor.errors;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
