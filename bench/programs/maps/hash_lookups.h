// Lookups in a hash map of 1024 entries with keys of KEY_BYTES, a multiple of 4, of which every fourth is not there.
#include "program.h"

struct key {
  u32 word[KEY_BYTES / 4];
};
MAP(flows, HASH, struct key, u64, 1024);

INLINE struct key key_of(u32 i) {
  struct key key;
  for (u32 j = 0; j < sizeof key / 4; j++) key.word[j] = i * 2654435761u + j;
  return key;
}

PROGRAM(setup) {
  for (u32 i = 0; i < 1024; i++) {
    struct key key = key_of(i % 4 == 3 ? i + 65536 : i);
    u64 value = i;
    bpf_map_update_elem(&flows, &key, &value, BPF_ANY);
  }
  return 0;
}

PROGRAM(bench) {
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    struct key key = key_of(i * 13 & 1023);
    u64* value = bpf_map_lookup_elem(&flows, &key);
    sum = sum * 3 + (value ? *value : 1000000);
  }
  return (u32)(sum ^ sum >> 32);
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
