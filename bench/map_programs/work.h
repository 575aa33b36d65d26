// What a program of map_programs/ goes on from and leaves behind, at the start of its packet: read by C and C++.
#pragma once

#define kOperations 256     // a run: elements that are asked for, or pairs of operations
#define kRingOperations 64  // records in a run of ring.bpf.c

struct work {
  unsigned long long random;    // state of the generator
  unsigned long long first;     // number of the oldest element; each element's key comes from its number
  unsigned long long elements;  // how many there shall be, from the oldest on: fewer than 2^32
  unsigned long long filled;    // and how many there are
  unsigned long long errors;    // updates that failed while they were put there
};
