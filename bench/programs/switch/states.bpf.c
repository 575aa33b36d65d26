// Splits text into words, numbers, quoted strings and comments: one state and one character at a time.
#include "program.h"

enum state { BLANK, WORD, NUMBER, QUOTED, ESCAPED, SLASH, COMMENT };

PROGRAM(bench) {
  PACKET(packet);
  u32 state = UNKNOWN(BLANK), sum = UNKNOWN(0u);
  for (u32 i = 0; i < 512; i++) {
    u8 c = packet[i];
    u32 letter = (u8)((c | 32) - 'a') < 26 || c == '_', digit = (u8)(c - '0') < 10;
    switch (state) {
      case QUOTED: state = c == '\\' ? ESCAPED : c == '"' ? BLANK : QUOTED; continue;
      case ESCAPED: state = QUOTED; continue;
      case COMMENT:
        if (c == '\n') state = BLANK;
        continue;
      case WORD:
        if (letter || digit) continue;
        break;
      case NUMBER:
        if (digit) continue;
        break;
      case SLASH:
        if (c == '/') {
          sum += 7;
          state = COMMENT;
          continue;
        }
        sum += 11;
        break;
      case BLANK: break;
    }
    if (letter) {
      sum++, state = WORD;
    } else if (digit) {
      sum += 1000, state = NUMBER;
    } else if (c == '"') {
      sum += 100000, state = QUOTED;
    } else {
      state = c == '/' ? SLASH : BLANK;
    }
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) {
  copy_text(packet, kPacket,
            "int main(int argc) { return call(\"a \\\"text\\\" here\", 42 / x1); } // the end of it\nwhile (n < 1000) "
            "n = n * 3;\n");
}
#endif
