// Counts lines, words and the longest line of a text.
#include "program.h"

PROGRAM(bench) {
  PACKET(packet);
  u32 lines = UNKNOWN(0u), words = UNKNOWN(0u), longest = UNKNOWN(0u), length = UNKNOWN(0u), inside = UNKNOWN(0u);
  for (u32 i = 0; i < 1000; i++) {
    u8 c = packet[i];
    if (c == '\n') {
      lines++;
      if (length > longest) longest = length;
      length = UNKNOWN(0u);
    } else {
      length++;
    }
    u32 blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    words += inside & blank;
    inside = !blank;
  }
  return (s32)(lines << 20 | words << 8 | longest);
}

#ifndef __bpf__
void prepare(u8* packet) {
  copy_text(packet, kPacket, "GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: text/html, image/png\r\n\r\n");
}
#endif
