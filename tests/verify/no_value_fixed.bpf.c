#include "common.h"

SEC("socket")
int unset(struct __sk_buff* skb) {
  int result;
  asm volatile("%0 = 9" : "=r"(result));
  return result;
}
LICENSE("GPL");
