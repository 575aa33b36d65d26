#include "common.h"

SEC("tc")
int lost(struct __sk_buff* skb) {
  unsigned char* data = (void*)(long)skb->data;
  if ((void*)(data + 14) > (void*)(long)skb->data_end) return TC_ACT_OK;
  bpf_skb_pull_data(skb, 64);
  return data[12] ? TC_ACT_OK : TC_ACT_SHOT;
}
LICENSE("GPL");
