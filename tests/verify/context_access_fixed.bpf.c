#include "common.h"

SEC("socket")
int packet_of(struct __sk_buff* skb) { return skb->len; }
LICENSE("GPL");
