#include "common.h"

SEC("socket")
int high(struct __sk_buff* skb) { return (__u64)skb > 0x1000 ? 1 : 0; }
LICENSE("GPL");
