#include "common.h"

struct padded {
  __u8 tag;
  __u64 number;
};
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct padded);
  __type(value, __u64);
} tagged SEC(".maps");

SEC("socket")
int look_up(struct __sk_buff* skb) {
  struct padded key;
  __builtin_memset(&key, 0, sizeof key);
  asm volatile(
      "*(u8 *)(%[key] + 0) = %[one]\n"
      "*(u64 *)(%[key] + 8) = %[one]" ::[key] "r"(&key),
      [one] "r"(1)
      : "memory");
  return bpf_map_lookup_elem(&tagged, &key) ? 1 : 0;
}
LICENSE("GPL");
