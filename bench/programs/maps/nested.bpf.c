// Arrays within an array of maps: a table a tenant.
#include "program.h"

#ifdef __bpf__
struct inner {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 64);
  __type(key, u32);
  __type(value, u64);
} inner_0 SEC(".maps"), inner_1 SEC(".maps"), inner_2 SEC(".maps"), inner_3 SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 4);
  __type(key, u32);
  __array(values, struct inner);
} outer SEC(".maps") = {.values = {&inner_0, &inner_1, &inner_2, &inner_3}};
#else
MAP(inner_0, ARRAY, u32, u64, 64);
MAP(inner_1, ARRAY, u32, u64, 64);
MAP(inner_2, ARRAY, u32, u64, 64);
MAP(inner_3, ARRAY, u32, u64, 64);
static const struct native_map* const inner_maps[4] = {&inner_0, &inner_1, &inner_2, &inner_3};
MAP(outer, ARRAY, u32, const struct native_map*, 4);
#endif

PROGRAM(setup) {
#ifndef __bpf__
  for (u32 i = 0; i < 4; i++) bpf_map_update_elem(&outer, &i, &inner_maps[i], BPF_ANY);
#endif
  return 0;
}

PROGRAM(bench) {
  PACKET(packet);
  u64 sum = 0;
  for (u32 i = 0; i < 64; i++) {
    u32 tenant = packet[i] & 3, index = packet[i] >> 2;
#ifdef __bpf__
    void* table = bpf_map_lookup_elem(&outer, &tenant);
#else
    const struct native_map** slot = bpf_map_lookup_elem(&outer, &tenant);
    const struct native_map* table = slot ? *slot : 0;
#endif
    if (!table) continue;
    u64* value = bpf_map_lookup_elem(table, &index);
    if (value) *value = i, sum += *value + index;
  }
  return (s32)sum;
}

#ifndef __bpf__
void prepare(u8* packet) { fill_random(packet, kPacket); }
#endif
