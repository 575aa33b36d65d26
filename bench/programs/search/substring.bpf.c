// Finds a word in a text, ignoring case: the naive way, which is how filters look into payloads.
#include "program.h"

INLINE u8 lower(u8 c) { return (u8)(c - 'A') < 26 ? c | 32 : c; }

static u8 text[kPacket];

PROGRAM(setup) {
  PACKET(packet);
  for (u32 i = 0; i < kPacket; i++) text[i] = packet[i];
  return 0;
}

PROGRAM(bench) {
  static const u8 word[8] = "cookie";
  u32 found = 0, last = 0;
  for (u32 i = 0; i < 600; i++) {
    u32 n = UNKNOWN(0u);
    for (u32 j = 0; j < 6; j++) {
      if (lower(text[(i + n) & (kPacket - 1)]) != word[n & 7]) break;
      n++;
    }
    if (n >= 6) found++, last = i;
  }
  return (s32)(found << 16 | last);
}

#ifndef __bpf__
void prepare(u8* packet) {
  copy_text(packet, kPacket,
            "GET /index.html HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n\r\n");
}
#endif
