#include "common.h"

static long add(__u32 i, void* sum) {
  *(__u64*)sum += i;
  return 0;
}

SEC("socket")
int sum(struct __sk_buff* skb) {
  __u64 sum = 0;
  bpf_loop(8000000, add, &sum, 0);
  return sum & 1;
}
LICENSE("GPL");
