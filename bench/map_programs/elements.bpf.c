// Maps of keys and values: hashes, arrays, tries.
#include "operations.h"

#define LPM (MAP_TYPE == BPF_MAP_TYPE_LPM_TRIE)
#define INDEXED (MAP_TYPE == BPF_MAP_TYPE_ARRAY || MAP_TYPE == BPF_MAP_TYPE_PERCPU_ARRAY)

#if KEY_BYTES % 8 == 0
typedef u64 word;
#else
typedef u32 word;
#endif
struct key {
  word word[KEY_BYTES / sizeof(word)];
};
struct prefix {
  u32 length, address[KEY_BYTES / 4 - 1];
};

struct {
  __uint(type, MAP_TYPE);
  __uint(max_entries, ENTRIES);
  __uint(map_flags, LPM ? BPF_F_NO_PREALLOC : 0);
  __type(key, struct key);
  __type(value, struct value);
} map SEC(".maps");

INLINE struct key key_of(u64 number) {
  struct key key = {};
  key.word[0] = INDEXED ? (word)number : (word)scattered(number);
  for (u32 i = 1; i < sizeof key / sizeof(word); i++) key.word[i] = (word)(number + i);
  return key;
}

// Half of the prefixes have the length that most routes have: /24, /48; the others up to 16 bits more or 8 less.
INLINE u32 length_of(u64 bits) {
  const u32 usual = KEY_BYTES == 8 ? 24 : 48, shortest = usual - 8, spread = KEY_BYTES == 8 ? 17 : 25;
  return bits & 1 ? usual : shortest + (u32)((bits >> 1 & 0xffff) * spread >> 16);
}
INLINE struct prefix prefix_of(u64 number) {
  const u64 bits = scattered(number);
  struct prefix prefix = {.length = length_of(bits)};
  prefix.address[0] = (u32)(bits >> 32);
  for (u32 i = 1; i < sizeof prefix.address / 4; i++) prefix.address[i] = (u32)(bits >> 8) * i;
  return prefix;
}

INLINE s64 insert(u64 number) {
  struct value value = value_of(number);
  if (LPM) {
    struct prefix prefix = prefix_of(number);
    return bpf_map_update_elem(&map, &prefix, &value, BPF_ANY);
  }
  struct key key = key_of(number);
  return bpf_map_update_elem(&map, &key, &value, BPF_ANY);
}
INLINE s64 remove(u64 number) {
  struct key key = key_of(number);
  return bpf_map_delete_elem(&map, &key);
}
INLINE u64 find(u64 number) {
  const struct value* value;
  if (LPM) {
    struct prefix address = prefix_of(number);
    address.length = (KEY_BYTES - 4) * 8;
    value = bpf_map_lookup_elem(&map, &address);
  } else {
    struct key key = key_of(number);
    value = bpf_map_lookup_elem(&map, &key);
  }
  return value ? value->word[0] : 1;
}
INLINE u64 baseline_step(u64 number) {
  if (LPM) {
    struct prefix prefix = prefix_of(number);
    LOOKED_AT(&prefix);
  } else {
    struct key key = key_of(number);
    LOOKED_AT(&key);
  }
  return number;
}

FILL_PROGRAM(insert)
PROGRAM_OF_STEPS(baseline, kOperations, sum += baseline_step(number))
PROGRAM_OF_STEPS(baseline_once, 1, sum += baseline_step(number))
PROGRAM_OF_STEPS(hit, kOperations, sum += find(number))
PROGRAM_OF_STEPS(hit_once, 1, sum += find(number))
PROGRAM_OF_STEPS(miss, kOperations, sum += find(number | 1ULL << 63))
PROGRAM_OF_STEPS(update, kOperations, sum += (u64)insert(number))
PROGRAM_OF_STEPS(mixed, kOperations, sum += i % 10 ? find(number) : (u64)insert(number))

// The oldest goes, a new one comes.
PROGRAM(churn) {
  WORK(work);
  u64 first = work->first, sum = 0;
  for (u32 i = 0; i < kOperations / 2; i++, first++)
    sum = sum * 3 + (u64)remove(first) + (u64)insert(first + work->elements);
  work->first = first;
  return (s32)sum;
}
// A new one comes, always: for maps that make room themselves.
PROGRAM(insert_new) {
  WORK(work);
  u64 first = work->first, sum = 0;
  for (u32 i = 0; i < kOperations; i++, first++) sum = sum * 3 + (u64)insert(first + work->elements);
  work->first = first;
  return (s32)sum;
}
