#include "common.h"

SEC("socket")
long address(struct __sk_buff* skb) { return skb->len; }
LICENSE("GPL");
