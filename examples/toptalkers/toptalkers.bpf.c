// Who talks most, at tc: packets and bytes by flow, by source host and by protocol. Each packet is parsed once, then a
// tail call hands it to the program of its protocol. Flows beyond `elephant_bytes` are marked, so that a queueing
// discipline can treat them apart, and a census of the flow table is taken every `census_every` packets.
#include <linux/pkt_cls.h>

#include "../common/clock.h"
#include "../common/packet.h"

const volatile __u64 elephant_bytes = 10000;
const volatile __u32 elephant_mark = 0x0e1e;
const volatile __u64 census_every = 64;

struct flow {
  struct address source;
  struct address destination;
  __be16 source_port;
  __be16 destination_port;
  __u16 vlan;
  __u8 protocol;
  __u8 version;
};

struct talk {
  __u64 packets;
  __u64 bytes;
  __u64 first;
  __u64 last;
  __u8 tcp_flags;  // all that were seen
  __u8 fragments;  // nonzero if there were any
  __u8 zero[6];
};

struct total {
  __u64 packets;
  __u64 bytes;
};

struct census {
  __u64 flows;
  __u64 elephants;
  __u64 longest;  // ns from first to last packet
};

struct scratch {  // what the parsing program leaves for the protocol's
  struct flow flow;
  __u8 tcp_flags;
  __u8 fragment;
  __u16 payload;
};

enum protocol { TCP, UDP, ICMP, OTHER, PROTOCOLS };

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, struct flow);
  __type(value, struct talk);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct address);
  __type(value, struct total);
} hosts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, PROTOCOLS);
  __type(key, __u32);  // enum protocol
  __type(value, struct total);
} protocols SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

struct census census = {};
__u64 packets_seen = 0;
__u64 not_counted = 0;

int talk_tcp(struct __sk_buff* skb);
int talk_udp(struct __sk_buff* skb);
int talk_icmp(struct __sk_buff* skb);
int talk_other(struct __sk_buff* skb);

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, PROTOCOLS);
  __type(key, __u32);
  __array(values, int(struct __sk_buff*));
} by_protocol SEC(".maps") = {
    .values = {[TCP] = &talk_tcp, [UDP] = &talk_udp, [ICMP] = &talk_icmp, [OTHER] = &talk_other}};

static long count_flow(void* map, const struct flow* flow, struct talk* talk, struct census* into) {
  __u64 lasted = talk->last - talk->first;
  into->flows++;
  if (talk->bytes >= elephant_bytes) into->elephants++;
  if (lasted > into->longest) into->longest = lasted;
  return 0;
}

static __noinline void take_census(void) {
  struct census counted = {};
  bpf_for_each_map_elem(&flows, count_flow, &counted, 0);
  census = counted;
}

static __noinline void add_to_host(const struct address* host, __u32 bytes) {
  struct total* total = bpf_map_lookup_elem(&hosts, host);
  if (!total) {
    struct total first = {1, bytes};
    bpf_map_update_elem(&hosts, host, &first, BPF_NOEXIST);
    return;
  }
  total->packets++;
  total->bytes += bytes;
}

// What the protocols have in common: the flow, the host, the protocol's sum, the mark.
static __always_inline int account(struct __sk_buff* skb, enum protocol protocol) {
  __u32 zero = 0, index = protocol;
  struct scratch* scratch = bpf_map_lookup_elem(&scratches, &zero);
  struct total* sum = bpf_map_lookup_elem(&protocols, &index);
  if (!scratch || !sum) return TC_ACT_OK;
  __sync_fetch_and_add(&sum->packets, 1);
  __sync_fetch_and_add(&sum->bytes, skb->len);
  add_to_host(&scratch->flow.source, skb->len);

  __u64 now = clock_now();
  struct talk* talk = bpf_map_lookup_elem(&flows, &scratch->flow);
  if (!talk) {
    struct talk first = {.first = now, .last = now};
    bpf_map_update_elem(&flows, &scratch->flow, &first, BPF_NOEXIST);
    talk = bpf_map_lookup_elem(&flows, &scratch->flow);
    if (!talk) return TC_ACT_OK;
  }
  __sync_fetch_and_add(&talk->packets, 1);
  __sync_fetch_and_add(&talk->bytes, skb->len);
  talk->last = now;
  talk->tcp_flags |= scratch->tcp_flags;
  talk->fragments |= scratch->fragment != WHOLE;
  if (talk->bytes >= elephant_bytes) skb->mark = elephant_mark;
  if ((__sync_fetch_and_add(&packets_seen, 1) + 1) % census_every == 0) take_census();
  return TC_ACT_OK;
}

SEC("tc")
int talk_tcp(struct __sk_buff* skb) { return account(skb, TCP); }

SEC("tc")
int talk_udp(struct __sk_buff* skb) { return account(skb, UDP); }

SEC("tc")
int talk_icmp(struct __sk_buff* skb) { return account(skb, ICMP); }

SEC("tc")
int talk_other(struct __sk_buff* skb) { return account(skb, OTHER); }

static __always_inline enum protocol protocol_of(const struct packet* p) {
  switch (p->protocol) {
    case IPPROTO_TCP: return TCP;
    case IPPROTO_UDP: return UDP;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6: return ICMP;
    default: return OTHER;
  }
}

SEC("tc")
int toptalkers(struct __sk_buff* skb) {
  struct packet p = {};
  __u32 zero = 0;
  bpf_skb_pull_data(skb, 0);  // headers of a paged skb become directly readable
  if (parse_packet((void*)(long)skb->data, (void*)(long)skb->data_end, &p) != PARSED) {
    __sync_fetch_and_add(&not_counted, 1);
    return TC_ACT_OK;
  }
  struct scratch* scratch = bpf_map_lookup_elem(&scratches, &zero);
  if (!scratch) return TC_ACT_OK;
  *scratch = (struct scratch){.flow = {.source = p.source,
                                       .destination = p.destination,
                                       .source_port = p.source_port,
                                       .destination_port = p.destination_port,
                                       .vlan = skb->vlan_present ? skb->vlan_tci & 0xfff : p.vlan,
                                       .protocol = p.protocol,
                                       .version = p.version},
                              .tcp_flags = p.tcp_flags,
                              .fragment = p.fragment,
                              .payload = p.payload};
  bpf_tail_call(skb, &by_protocol, protocol_of(&p));
  __sync_fetch_and_add(&not_counted, 1);  // only if the slot is empty
  return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
