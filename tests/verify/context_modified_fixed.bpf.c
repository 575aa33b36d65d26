#include "common.h"

SEC("socket")
int modified(struct __sk_buff* skb) { return skb->mark; }
LICENSE("GPL");
