#include "common.h"

// Assembly: clang gives a variable without a value any value it likes.
SEC("socket")
int unset(struct __sk_buff* skb) {
  int result;
  asm volatile("%0 = r9" : "=r"(result)::"r9");
  return result;
}
LICENSE("GPL");
