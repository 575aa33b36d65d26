#include "common.h"

SEC("socket")
long unwritten(struct __sk_buff* skb) {
  long number;
  asm volatile("" : "=m"(number));
  return number;
}
LICENSE("GPL");
