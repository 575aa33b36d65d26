#include "common.h"

SEC("socket")
int sum(struct __sk_buff* skb) {
  __u64 sum = 0;
  for (__u32 i = 0; i < 10000000; ++i) {
    sum += i;
    asm volatile("" : "+r"(sum));
  }
  return sum & 1;
}
LICENSE("GPL");
