#include "common.h"

SEC("socket")
int loop(struct __sk_buff* skb) {
  int sum = 0;
#pragma unroll
  for (int i = 0; i < 10; ++i) {
    sum += i;
    asm volatile("" : "+r"(sum));
  }
  return sum;
}
LICENSE("GPL");
