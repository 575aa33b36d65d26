// A switch in a subprogram, over message types of 24 kinds with bodies of different length.
#include "program.h"

static u32 seen[32];

CALLED u32 handle(u32 type, u32 value) {
  switch (type) {
    case 100: seen[0]++; return value + 1;
    case 101: seen[1]++; return value * 3;
    case 102: return value ^ 0xff;
    case 103: seen[3] += value; return value;
    case 104: return value >> 3 | value << 29;
    case 105: seen[5] = value; return 5;
    case 106: return value & 0x0f0f0f0f;
    case 107: return value - seen[5];
    case 108: seen[8]++; return value | 1;
    case 109: return ~value;
    case 110: return value * value;
    case 111: seen[11] ^= value; return 11;
    case 112: return value + seen[3];
    case 113: return value % 1000;
    case 114: seen[14]++; return value << 2;
    case 115: return value / 10;
    case 116: return value ^ value >> 16;
    case 117: seen[17] += 2; return 17;
    case 118: return value - 118;
    case 119: return value * 31 + 7;
    case 120: return seen[11] & value;
    case 121: return __builtin_bswap32(value);
    case 122: seen[22]++; return 0;
    case 123: return value + (value >> 8);
    default: return 0;
  }
}

PROGRAM(bench) {
  PACKET(packet);
  u32 sum = 0;
  seen[3] = seen[5] = seen[11] = 0;
  for (u32 i = 0; i < 400; i++) sum = sum * 3 + handle(100 + packet[i] % 26, sum + i);
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
