#include "common.h"

SEC("socket")
int high(struct __sk_buff* skb) { return skb->len > 0x1000 ? 1 : 0; }
LICENSE("GPL");
