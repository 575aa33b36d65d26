#include "common.h"

SEC("uprobe")
int read(struct pt_regs* ctx) {
  char buffer[8] = {};
  bpf_copy_from_user(buffer, sizeof buffer, (void*)0x1000);
  return buffer[0];
}
LICENSE("GPL");
