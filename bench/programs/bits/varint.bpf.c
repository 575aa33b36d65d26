// Variable-length numbers, seven bits a byte, as protocol buffers and DWARF have them.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0, value = 0;
  u32 shift = 0, numbers = 0;
  for (u32 i = 0; i < 1024; i++) {
    u8 byte = packet[i];
    value |= (u64)(byte & 127) << (shift & 63);
    shift += 7;
    if (!(byte & 128)) sum = sum * 5 + value, numbers++, value = 0, shift = 0;
  }
  return (u32)(sum ^ sum >> 32) + numbers;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
