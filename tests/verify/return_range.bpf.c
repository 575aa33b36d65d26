#include "common.h"

SEC("cgroup_skb/egress")
int filter(struct __sk_buff* skb) { return skb->len; }
LICENSE("GPL");
