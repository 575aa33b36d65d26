// Splits text into words, numbers, quoted strings and comments: one state and one character at a time.
#include "program.h"

enum state { BLANK, WORD, NUMBER, QUOTED, ESCAPED, SLASH, COMMENT };

u64 bench(void* memory, u64 length) {
  const u8* text = memory;
  enum state state = BLANK;
  u64 words = 0, numbers = 0, strings = 0, comments = 0, other = 0;
  for (u64 i = 0; i < length; i++) {
    u8 c = text[i];
    int letter = (u8)((c | 32) - 'a') < 26 || c == '_', digit = (u8)(c - '0') < 10;
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
          comments++;
          state = COMMENT;
          continue;
        }
        other++;
        break;
      case BLANK: break;
    }
    if (letter) {
      words++, state = WORD;
    } else if (digit) {
      numbers++, state = NUMBER;
    } else if (c == '"') {
      strings++, state = QUOTED;
    } else if (c == '/') {
      state = SLASH;
    } else {
      state = BLANK;
    }
  }
  return words + numbers * 1000 + strings * 1000000 + comments * 1000000000 + other * 1000000000000;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  copy_text(memory, length,
            "int main(int argc) { return call(\"a \\\"text\\\" here\", 42 / x1); } // the end of it\nwhile (n < 1000) "
            "n = n * 3;\n");
}
#endif
