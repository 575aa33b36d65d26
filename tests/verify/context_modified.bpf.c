#include "common.h"

SEC("socket")
int modified(struct __sk_buff* skb) {
  int result;
  asm volatile(
      "r1 = %[skb]\n"
      "r1 += 8\n"
      "%[result] = *(u32 *)(r1 + 0)"
      : [result] "=r"(result)
      : [skb] "r"(skb)
      : "r1");
  return result;
}
LICENSE("GPL");
