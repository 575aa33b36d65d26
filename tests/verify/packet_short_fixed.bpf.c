#include "common.h"

SEC("tc")
int protocol(struct __sk_buff* skb) {
  void* data_end = (void*)(long)skb->data_end;
  struct ethhdr* eth = (void*)(long)skb->data;
  if ((void*)(eth + 1) > data_end) return TC_ACT_OK;
  struct iphdr* ip = (void*)(eth + 1);
  if ((void*)(ip + 1) > data_end) return TC_ACT_OK;
  return ip->protocol == 17 ? TC_ACT_SHOT : TC_ACT_OK;
}
LICENSE("GPL");
