#include "common.h"

SEC("socket")
int spin(struct __sk_buff* skb) {
  for (int i = 0; i < 100; ++i) asm volatile("" ::: "memory");
  return 0;
}
LICENSE("GPL");
