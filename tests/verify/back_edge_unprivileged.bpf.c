#include "common.h"

SEC("socket")
int loop(struct __sk_buff* skb) {
  int sum = 0;
  for (int i = 0; i < 100; ++i) {
    sum += i;
    asm volatile("" : "+r"(sum));
  }
  return sum;
}
LICENSE("GPL");
