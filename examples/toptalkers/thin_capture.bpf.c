// A socket filter for a capture that stays small: of each IPv4 flow the first `whole_packets` packets are kept in full,
// of the rest only the headers, and of what is not IPv4 nothing. The program's result is the number of bytes to keep.
// Reads the packet the classic way: loads relative to the network header, wherever the socket's packets begin; a load
// outside the packet ends the program with 0.
#include <linux/filter.h>

#include "../common/packet.h"

const volatile __u32 whole_packets = 4;
const volatile __u32 link_header = ETH_HLEN;  // bytes before the network header

unsigned long long load_byte(void* skb, unsigned long long offset) asm("llvm.bpf.load.byte");
unsigned long long load_half(void* skb, unsigned long long offset) asm("llvm.bpf.load.half");
unsigned long long load_word(void* skb, unsigned long long offset) asm("llvm.bpf.load.word");

struct flow {  // all in host order, which is what the loads give
  __u32 source;
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

// Fills in the flow; gives the bytes from the network header to the end of the transport header.
static __always_inline __u32 read_flow(struct __sk_buff* skb, struct flow* flow) {
  const int ip = SKF_NET_OFF;
  __u32 transport = (load_byte(skb, ip) & 0xf) * 4;
  flow->protocol = load_byte(skb, ip + 9);
  flow->source = load_word(skb, ip + 12);
  flow->destination = load_word(skb, ip + 16);
  if (load_half(skb, ip + 6) & 0x1fff) return transport;
  if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP) return transport;
  flow->ports = load_word(skb, ip + transport);
  if (flow->protocol == IPPROTO_UDP) return transport + sizeof(struct udphdr);
  return transport + (load_byte(skb, ip + transport + 12) >> 4) * 4;
}

SEC("socket")
int thin_capture(struct __sk_buff* skb) {
  if (skb->protocol != bpf_htons(ETH_P_IP)) return 0;
  struct flow flow = {};
  __u32 headers = read_flow(skb, &flow) + link_header;

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
