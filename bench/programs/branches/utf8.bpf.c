// Validates UTF-8 and counts its characters.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 characters = 0, wrong = 0, expected = 0, sum = 0;
  for (u32 i = 0; i < 1024; i++) {
    u8 c = packet[i];
    if (expected) {
      if ((c & 0xc0) == 0x80) {
        expected--;
        continue;
      }
      wrong++, expected = 0;
    }
    if (c < 0x80) {
      characters++;
    } else if (c < 0xc2) {
      wrong++;
    } else if (c < 0xe0) {
      expected = 1, characters++;
    } else if (c < 0xf0) {
      expected = 2, characters++;
    } else if (c < 0xf5) {
      expected = 3, characters++;
    } else {
      wrong++;
    }
    sum += c;
  }
  return (s32)(sum << 20 | characters << 10 | wrong);
}

#ifndef __bpf__
void prepare(u8* packet) {
  copy_text(packet, kPacket, "Grüße aus Köln, 東京 und Αθήνα; plain ASCII most of the time. \xff\x80 ");
}
#endif
