#include "common.h"

SEC("socket")
int spin(struct __sk_buff* skb) {
  for (;;) asm volatile("" ::: "memory");
  return 0;
}
LICENSE("GPL");
