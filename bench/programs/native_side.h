// The native side of program.h: what somebody who needs such a map or helper would write in C, for one thread, without
// a library and without locks. README.md says what that means for the comparison.
#pragma once

#include <string.h>
#include <time.h>

struct xdp_md {
  u64 data, data_end;
};
enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX };

#define PROGRAM(name) int name(struct xdp_md* ctx)
#define HIDDEN __attribute__((visibility("hidden")))

int bench(struct xdp_md* ctx);
int setup(struct xdp_md* ctx);
void prepare(u8* packet);

INLINE u64 next_random(u64* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return *state >> 24;
}

INLINE void fill_random(u8* to, u64 length) {
  u64 state = 42;
  for (u64 i = 0; i < length; i++) to[i] = (u8)next_random(&state);
}

INLINE void copy_text(u8* to, u64 length, const char* text) {
  for (u64 i = 0, at = 0; i < length; i++) {
    to[i] = (u8)text[at++];
    if (!text[at]) at = 0;
  }
}

// ---- Maps: arrays are arrays; hash maps are chained, with twice as many heads as entries; longest prefixes are found
// in a binary trie. The descriptor is a constant, so the compiler knows kind and sizes at each call.

enum kind { ARRAY, PERCPU_ARRAY, HASH, PERCPU_HASH, LRU_HASH, LPM_TRIE };
enum { BPF_ANY, BPF_NOEXIST, BPF_EXIST };

struct hash_state {
  u32 used, free;  // nodes ever taken; those given back, by index + 1
};
struct native_map {
  enum kind kind;
  u32 key_size, value_size, entries, heads;
  u8* values;
  u32* head;  // index + 1
  u32* next;
  u8* keys;
  struct hash_state* state;
};

#define ROUND8(n) (((n) + 7) / 8 * 8)
#define POWER_ABOVE(n) ((n) <= 64 ? 128 : (n) <= 256 ? 512 : (n) <= 1024 ? 2048 : (n) <= 4096 ? 8192 : 131072)
#define MAP(name, kind, key_type, value_type, entries)                                                   \
  static u8 name##_values[ROUND8(sizeof(value_type)) * (entries)] __attribute__((aligned(8)));           \
  static u32 name##_head[POWER_ABOVE(entries)], name##_next[entries];                                    \
  static u8 name##_keys[ROUND8(sizeof(key_type)) * (entries)] __attribute__((aligned(8)));               \
  static struct hash_state name##_state;                                                                 \
  static const struct native_map name = {kind,         sizeof(key_type),     ROUND8(sizeof(value_type)), \
                                         entries,      POWER_ABOVE(entries), name##_values,              \
                                         name##_head,  name##_next,          name##_keys,                \
                                         &name##_state}
// Two nodes for each bit of a prefix are more than enough.
#define LPM_MAP(name, key_type, value_type, entries) MAP(name, LPM_TRIE, key_type, value_type, (entries) * 32)

INLINE u32 native_hash(const u8* key, u32 size) {
  u64 hash = size;
  for (u32 i = 0; i + 4 <= size; i += 4) {
    hash = (hash ^ *(const u32*)(key + i)) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
  }
  return (u32)hash;
}

INLINE u32* native_find(const struct native_map* map, const void* key) {
  u32* link = &map->head[native_hash((const u8*)key, map->key_size) & (map->heads - 1)];
  while (*link && memcmp(map->keys + (*link - 1) * ROUND8(map->key_size), key, map->key_size) != 0)
    link = &map->next[*link - 1];
  return link;
}

// Nodes are pairs of links in `head` (two a node), values by node; node 0 is the root. A key is a length and that many
// bits.
INLINE void* native_longest(const struct native_map* map, const void* key) {
  const u8* bits = (const u8*)key + 4;
  u32 length = *(const u32*)key, node = 0;
  void* best = 0;
  for (u32 i = 0; i < length; i++) {
    u32 next = map->head[node * 2 + (bits[i / 8] >> (7 - i % 8) & 1)];
    if (!next) break;
    node = next;
    if (map->next[node]) best = map->values + node * map->value_size;
  }
  return best;
}

INLINE void native_add_prefix(const struct native_map* map, const void* key, const void* value) {
  const u8* bits = (const u8*)key + 4;
  u32 length = *(const u32*)key, node = 0;
  for (u32 i = 0; i < length; i++) {
    u32* link = &map->head[node * 2 + (bits[i / 8] >> (7 - i % 8) & 1)];
    if (!*link) *link = ++map->state->used;
    node = *link;
  }
  map->next[node] = 1;
  memcpy(map->values + node * map->value_size, value, map->value_size);
}

INLINE void* native_lookup(const struct native_map* map, const void* key) {
  if (map->kind == ARRAY || map->kind == PERCPU_ARRAY) {
    u32 index = *(const u32*)key;
    return index < map->entries ? map->values + index * map->value_size : 0;
  }
  if (map->kind == LPM_TRIE) return native_longest(map, key);
  u32* link = native_find(map, key);
  return *link ? map->values + (*link - 1) * map->value_size : 0;
}

INLINE long native_update(const struct native_map* map, const void* key, const void* value, u64 flags) {
  if (map->kind == LPM_TRIE) return native_add_prefix(map, key, value), 0;
  if (map->kind == ARRAY || map->kind == PERCPU_ARRAY) {
    u8* at = (u8*)native_lookup(map, key);
    if (!at) return -7;
    memcpy(at, value, map->value_size);
    return 0;
  }
  u32* link = native_find(map, key);
  if (*link && flags == BPF_NOEXIST) return -17;
  if (!*link) {
    if (flags == BPF_EXIST) return -2;
    struct hash_state* state = map->state;
    u32 node = state->free;
    if (node) {
      state->free = map->next[node - 1];
    } else {
      if (state->used == map->entries) return -7;
      node = ++state->used;
    }
    map->next[node - 1] = 0;
    memcpy(map->keys + (node - 1) * ROUND8(map->key_size), key, map->key_size);
    *link = node;
  }
  memcpy(map->values + (*link - 1) * map->value_size, value, map->value_size);
  return 0;
}

INLINE long native_delete(const struct native_map* map, const void* key) {
  u32* link = native_find(map, key);
  u32 node = *link;
  if (!node) return -2;
  *link = map->next[node - 1];
  map->next[node - 1] = map->state->free;
  map->state->free = node;
  return 0;
}

#define bpf_map_lookup_elem(map, key) native_lookup(map, key)
#define bpf_map_update_elem(map, key, value, flags) native_update(map, key, value, flags)
#define bpf_map_delete_elem(map, key) native_delete(map, key)

// ---- A ring buffer whose reader is always ahead: records are written, and overwritten a round later.

struct native_ring {
  u8* bytes;
  u64 size;
  u64* position;
};
#define RING(name, size)                                             \
  static u8 name##_bytes[(size) + 4096] __attribute__((aligned(8))); \
  static u64 name##_position;                                        \
  static const struct native_ring name = {name##_bytes, size, &name##_position}
enum { BPF_RB_NO_WAKEUP = 1 };

INLINE void* bpf_ringbuf_reserve(const struct native_ring* ring, u64 size, u64 flags) {
  u32* header = (u32*)(ring->bytes + (*ring->position & (ring->size - 1)));
  *ring->position += ROUND8(size) + 8;
  header[0] = (u32)size | 1u << 31;
  return header + 2;
}
INLINE void bpf_ringbuf_submit(void* record, u64 flags) { __atomic_and_fetch((u32*)record - 2, ~(1u << 31), 3); }
INLINE void bpf_ringbuf_discard(void* record, u64 flags) { __atomic_or_fetch((u32*)record - 2, 1u << 30, 3); }
INLINE long bpf_ringbuf_output(const struct native_ring* ring, void* data, u64 size, u64 flags) {
  void* record = bpf_ringbuf_reserve(ring, size, 0);
  memcpy(record, data, size);
  bpf_ringbuf_submit(record, 0);
  return 0;
}

// ---- Helpers

INLINE u64 bpf_ktime_get_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

INLINE u32 bpf_get_prandom_u32(void) {
  static u64 state = 88172645463325252ULL;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (u32)state;
}

INLINE u32 bpf_get_smp_processor_id(void) { return 0; }

INLINE s64 bpf_csum_diff(const u32* from, u32 from_size, const u32* to, u32 to_size, u32 seed) {
  u64 sum = seed;
  for (u32 i = 0; i < from_size / 4; i++) sum += (u32)~from[i];
  for (u32 i = 0; i < to_size / 4; i++) sum += to[i];
  sum = (sum & 0xffffffff) + (sum >> 32);
  return (s64)((sum & 0xffffffff) + (sum >> 32));
}

INLINE long bpf_loop(u32 rounds, long (*body)(u32, void*), void* state, u64 flags) {
  u32 i = 0;
  while (i < rounds)
    if (body(i++, state)) break;
  return i;
}

INLINE long bpf_xdp_load_bytes(struct xdp_md* ctx, u32 offset, void* to, u32 length) {
  if (ctx->data + offset + length > ctx->data_end) return -22;
  memcpy(to, (u8*)ctx->data + offset, length);
  return 0;
}

INLINE long bpf_strncmp(const char* a, u32 size, const char* b) { return strncmp(a, b, size); }

// A tail call is a call of another function in the last place; the array holds functions.
