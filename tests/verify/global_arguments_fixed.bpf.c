#include "common.h"

__attribute__((noinline)) int first(struct entry* entry) { return entry ? entry->slots[0] : 0; }

SEC("xdp")
int call_it(struct xdp_md* ctx) {
  struct entry whole = {};
  return first(&whole) ? XDP_PASS : XDP_DROP;
}
LICENSE("GPL");
