// What the programs over maps share. Elements are numbered; `work` says which numbers are in the map. Every program but
// `fill` does kOperations steps and returns a number that both sides must agree on.
//   TYPE, KEY_BYTES, VALUE_BYTES, ENTRIES: of the map, from the command line.
#pragma once

#include "work.h"

#include "../programs/program.h"

#define GLUED(left, right) left##right
#define GLUE(left, right) GLUED(left, right)
#define MAP_TYPE GLUE(BPF_MAP_TYPE_, TYPE)

// Where the packet's work is, or the program ends.
#define WORK(name)                                   \
  struct work* name = (struct work*)(long)ctx->data; \
  if ((u8*)(name + 1) > (u8*)(long)ctx->data_end) return 0
// The bytes at `pointer` are looked at, for all the compiler knows.
#define LOOKED_AT(pointer) asm volatile("" : : "r"(pointer) : "memory")

struct value {
  u64 word[VALUE_BYTES / 8];
};
INLINE struct value value_of(u64 number) {
  struct value value = {};
  value.word[0] = number;
  return value;
}

INLINE u64 next_random(u64* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  return *state >> 32;
}
// One of the elements that are there.
INLINE u64 any_element(u64* random, u64 first, u64 elements) { return first + (next_random(random) * elements >> 32); }
// Other numbers for other numbers, without order.
INLINE u64 scattered(u64 number) {
  number *= 0x9e3779b97f4a7c15ULL;
  number ^= number >> 32;
  return number * 0xd6e8feb86659fd93ULL;
}

// A program of `count` steps, each with the `number` of an element that is there.
#define PROGRAM_OF_STEPS(name, count, step)                     \
  PROGRAM(name) {                                               \
    WORK(work);                                                 \
    u64 random = work->random, sum = 0;                         \
    const u64 first = work->first, elements = work->elements;   \
    for (u32 i = 0; i < (count); i++) {                         \
      const u64 number = any_element(&random, first, elements); \
      step;                                                     \
    }                                                           \
    work->random = random;                                      \
    return (s32)(sum ^ sum >> 32);                              \
  }
// Calls `insert` (number -> 0 or an error) until so many elements are there, kOperations times at most.
#define FILL_PROGRAM(insert)                                                   \
  PROGRAM(fill) {                                                              \
    WORK(work);                                                                \
    u64 filled = work->filled, errors = 0;                                     \
    for (u32 i = 0; i < kOperations && filled < work->elements; i++, filled++) \
      errors += insert(work->first + filled) != 0;                             \
    work->filled = filled;                                                     \
    work->errors += errors;                                                    \
    return 0;                                                                  \
  }
