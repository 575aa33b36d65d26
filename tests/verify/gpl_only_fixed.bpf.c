#include "common.h"

SEC("tracepoint/syscalls/sys_enter_getpid")
int read(void* ctx) {
  __u64 word = 0;
  bpf_probe_read_kernel(&word, sizeof word, ctx);
  return word & 1;
}
LICENSE("GPL");
