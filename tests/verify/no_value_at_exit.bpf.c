#include "common.h"

// As clang makes it of functions that fall off their end.
SEC("socket")
int nothing(struct __sk_buff* skb) {
  asm volatile(
      "if r1 == 0 goto +1\n"
      "exit" ::
          : "r0");
  return 0;
}
LICENSE("GPL");
