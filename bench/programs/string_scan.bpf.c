// Finds a word in a text, ignoring case: the naive way, which is how filters look into payloads.
#include "program.h"

INLINE u8 lower(u8 c) { return (u8)(c - 'A') < 26 ? c | 32 : c; }

u64 bench(void* memory, u64 length) {
  const u8* text = memory;
  const u8* word = text + length - 8;  // the last eight bytes, zero-padded
  u64 found = 0, last = 0;
  for (u64 i = 0; i + 16 < length; i++) {
    u64 n = 0;
    while (n < 8 && word[n] && lower(text[i + n]) == word[n]) n++;
    if (n == 8 || !word[n]) found++, last = i;
  }
  return found << 32 | last;
}

#ifndef __bpf__
void prepare(void* memory, u64 length) {
  copy_text(memory, length,
            "GET /index.html HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive\r\nCookie: a=b; c=d\r\n\r\n");
  copy_text((u8*)memory + length - 8, 8, "conn");
  for (u64 i = 4; i < 8; i++) ((u8*)memory)[length - 8 + i] = 0;
}
#endif
