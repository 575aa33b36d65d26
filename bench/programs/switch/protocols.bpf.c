// Numbers with gaps: protocols of packets, of which a few are frequent.
#include "program.h"

static u64 count[16];

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 512; i++) {
    u8 protocol = packet[i];
    switch (protocol) {
      case 1: count[0] += 3, sum ^= i; break;
      case 2: count[1]++, sum += 11; break;
      case 4: count[2] += sum & 3; break;
      case 6: count[3]++, sum += i * 3; break;
      case 17: count[4]++, sum ^= i << 4; break;
      case 41: sum = sum * 5; break;
      case 43: count[6] += 2; break;
      case 44: sum -= 9, count[7]++; break;
      case 47: sum ^= sum >> 7; break;
      case 50: count[9]++, sum++; break;
      case 51: count[10] += sum & 1; break;
      case 58: sum += count[0] & 1; break;
      case 89: count[12]++, sum ^= 0x1234; break;
      case 103: sum += 103; break;
      case 132: count[14]++, sum = ~sum; break;
      default: count[15]++; break;
    }
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) {
  static const u8 numbers[] = {6,  6, 6,  17, 6,   17, 1,  6,  41, 58, 47,  6, 17, 2,   50, 132,
                               89, 6, 17, 6,  103, 51, 44, 43, 6,  4,  200, 6, 17, 255, 6,  17};
  u64 state = 42;
  for (u32 i = 0; i < kPacket; i++) packet[i] = numbers[next_random(&state) & 31];
}
#endif
