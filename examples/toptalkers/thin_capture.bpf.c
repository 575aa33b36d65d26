// A socket filter for a capture that stays small: of each IPv4 flow the first `whole_packets` packets are kept in full,
// of the rest only the headers, and of what is not IPv4 nothing. The program's result is the number of bytes to keep.
// Reads the packet the classic way, through load_half and load_word, and by bpf_skb_load_bytes.
#include "../common/packet.h"

const volatile __u32 whole_packets = 4;

// The compiler's names for the packet loads that end the program with 0 when they lie outside the packet.
unsigned long long load_half(void* skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void* skb, unsigned long long offset) asm("llvm.bpf.load.word");

struct flow {
  __u32 source;  // host order: what load_word gives
  __u32 destination;
  __u32 ports;
  __u32 protocol;
};

struct talk {
  __u64 packets;
  __u64 bytes;
  __u64 kept;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct flow);
  __type(value, struct talk);
} thin_flows SEC(".maps");

// The ports, and by *headers the bytes up to the end of the transport header.
static __noinline __u32 transport(struct __sk_buff* skb, const struct iphdr* ip, __u32* headers) {
  __u32 at = ETH_HLEN + ip->ihl * 4, ports = 0;
  __u8 offset = 0;
  *headers = at;
  if (bpf_ntohs(ip->frag_off) & 0x1fff) return 0;
  if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP) return 0;
  if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports))) return 0;
  *headers = at + sizeof(struct udphdr);
  if (ip->protocol == IPPROTO_TCP && !bpf_skb_load_bytes(skb, at + 12, &offset, 1)) *headers = at + (offset >> 4) * 4;
  return bpf_ntohl(ports);
}

SEC("socket")
int thin_capture(struct __sk_buff* skb) {
  if (load_half(skb, 12) != ETH_P_IP) return 0;
  struct iphdr ip;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip))) return 0;
  __u32 headers;
  struct flow flow = {.source = load_word(skb, ETH_HLEN + 12), .destination = load_word(skb, ETH_HLEN + 16)};
  flow.protocol = ip.protocol;
  flow.ports = transport(skb, &ip, &headers);

  struct talk first = {};
  struct talk* talk = bpf_map_lookup_elem(&thin_flows, &flow);
  if (!talk) {
    bpf_map_update_elem(&thin_flows, &flow, &first, BPF_NOEXIST);
    talk = bpf_map_lookup_elem(&thin_flows, &flow);
    if (!talk) return headers;
  }
  __u64 before = __sync_fetch_and_add(&talk->packets, 1);
  __u32 keep = before < whole_packets || headers > skb->len ? skb->len : headers;
  __sync_fetch_and_add(&talk->bytes, skb->len);
  __sync_fetch_and_add(&talk->kept, keep);
  return keep;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
