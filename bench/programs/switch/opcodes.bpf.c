// A little machine with sixteen dense opcodes, each of which does something else.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 a = 1, b = 2, c = 3;
  for (u32 i = 0; i < 512; i++) {
    switch (packet[i] & 15) {
      case 0: a += b; break;
      case 1: a -= c; break;
      case 2: b ^= a; break;
      case 3: c = a * 5; break;
      case 4: b = b << 3 | b >> 29; break;
      case 5: a = c & b; break;
      case 6: c |= a; break;
      case 7: b -= 77; break;
      case 8: a = b + c + 1; break;
      case 9: c ^= 0x5bd1e995; break;
      case 10: b *= 13; break;
      case 11: a = ~a; break;
      case 12: c = c >> 5 ^ a; break;
      case 13: b += i; break;
      case 14: a ^= a << 7; break;
      case 15: c -= b; break;
    }
  }
  return (s32)(a ^ b ^ c);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
