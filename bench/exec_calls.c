// exec_calls: what calls cost a program on whatever answers bpf(2): nanoseconds of a lookup in a hash and in an array, microseconds of
// loading a small program, verified and compiled, and closing it. Of many batches the middle one.
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kBatches = 41, kLookups = 2000, kLoads = 20 };

static long bpf(int command, union bpf_attr* attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static void must(long result, const char* what) {
  if (result >= 0) return;
  fprintf(stderr, "exec_calls: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const double left = *(const double*)a, right = *(const double*)b;
  return left < right ? -1 : left > right;
}

static double middle(double* batches) {
  qsort(batches, kBatches, sizeof *batches, compare);
  return batches[kBatches / 2];
}

static double lookups(enum bpf_map_type type) {
  union bpf_attr attr = {.map_type = type, .key_size = 4, .value_size = 8, .max_entries = 1024};
  const int map = bpf(BPF_MAP_CREATE, &attr);
  must(map, "map");
  unsigned key = 0;
  unsigned long value = 7;
  attr = (union bpf_attr){.map_fd = map, .key = (unsigned long)&key, .value = (unsigned long)&value};
  for (key = 0; key < 1024; ++key) must(bpf(BPF_MAP_UPDATE_ELEM, &attr), "update");
  double batches[kBatches];
  for (int i = 0; i < kBatches; ++i) {
    const double before = now();
    for (unsigned n = 0; n < kLookups; ++n) {
      key = n * 7 % 1024;
      must(bpf(BPF_MAP_LOOKUP_ELEM, &attr), "lookup");
    }
    batches[i] = (now() - before) / kLookups;
  }
  close(map);
  return middle(batches);
}

static double loads(void) {
  const struct bpf_insn code[] = {
      {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 0, .src_reg = 1},  // the packet's length
      {.code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 0, .imm = 100, .off = 2},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 0, .imm = 3},
      {.code = BPF_JMP | BPF_EXIT},
  };
  double batches[kBatches];
  for (int i = 0; i < kBatches; ++i) {
    const double before = now();
    for (int n = 0; n < kLoads; ++n) {
      union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = sizeof code / sizeof code[0]};
      attr.insns = (unsigned long)code;
      attr.license = (unsigned long)"GPL";
      const int program = bpf(BPF_PROG_LOAD, &attr);
      must(program, "load");
      close(program);
    }
    batches[i] = (now() - before) / kLoads / 1000;
  }
  return middle(batches);
}

int main(void) {
  printf("hash %.0f\n", lookups(BPF_MAP_TYPE_HASH));
  printf("array %.0f\n", lookups(BPF_MAP_TYPE_ARRAY));
  printf("load %.1f\n", loads());
  return 0;
}
