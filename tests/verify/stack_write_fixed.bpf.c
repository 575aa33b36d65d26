#include "common.h"

SEC("socket")
int deep(struct __sk_buff* skb) {
  asm volatile(
      "r1 = 0\n"
      "*(u64 *)(r10 - 512) = r1" ::
          : "r1");
  return 0;
}
LICENSE("GPL");
