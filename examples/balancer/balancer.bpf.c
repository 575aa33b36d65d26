// A layer 4 load balancer at XDP. A packet to a virtual address is sent on, inside an IPIP tunnel, to a backend: the
// one its connection has already, or the one its hash selects in the service's Maglev ring, so that backends come and
// go with few connections moved. Backends take the packet out of the tunnel and answer the client directly.
#include "../common/packet.h"

#define RING 251  // a prime; see ./maglev, which computes the rings

enum outcome {
  PASS_NOT_OURS,
  TX_KNOWN_CONNECTION,
  TX_NEW_CONNECTION,
  TX_FRAGMENT,
  DROP_BROKEN,
  DROP_NO_BACKEND,
  DROP_NO_ROOM,
  OUTCOMES,
};

const volatile __be32 tunnel_source = 0x0100000a;  // 10.0.0.1
const volatile __u8 gateway_mac[ETH_ALEN] = {2, 0, 0, 0, 0, 0xfe};

struct service_key {
  struct address address;
  __be16 port;  // 0: the service of fragments, which carry no port
  __u8 protocol;
  __u8 zero;
};

struct service {
  __u32 ring;  // index in `rings`
  __u32 zero;
  __u64 connections;
};

struct backend {
  __be32 address;
  __u32 zero;
  __u64 packets;
  __u64 bytes;
};

struct flow {
  struct address client;
  struct address service;
  __be16 client_port;
  __be16 service_port;
  __u8 protocol;
  __u8 zero[3];
};

struct ring {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, RING);
  __type(key, __u32);
  __type(value, __u32);  // a backend's number; 0 means none
} ring_web SEC(".maps"), ring_dns SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 2);
  __type(key, __u32);
  __array(values, struct ring);
} rings SEC(".maps") = {.values = {&ring_web, &ring_dns}};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 64);
  __type(key, struct service_key);
  __type(value, struct service);
} services SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, struct backend);
} backends SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 32768);
  __type(key, struct flow);
  __type(value, __u32);
} connections SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, OUTCOMES);
  __type(key, __u32);  // enum outcome
  __type(value, __u64);
} outcomes SEC(".maps");

// A global function: the verifier checks it once, for any flow. A multiply and shift per word, mixed at the end.
__noinline __u32 flow_hash(const struct flow* flow) {
  if (!flow) return 0;
  const __u32* word = (const __u32*)flow;
  __u64 hash = 0x9e3779b97f4a7c15ULL;
  for (__u32 i = 0; i < sizeof(*flow) / 4; i++) {
    hash = (hash ^ word[i]) * 0xff51afd7ed558ccdULL;
    hash ^= hash >> 29;
  }
  return hash ^ hash >> 32;
}

static __always_inline __u32 from_ring(const struct service* service, const struct flow* flow) {
  __u32 index = service->ring;
  void* ring = bpf_map_lookup_elem(&rings, &index);
  if (!ring) return 0;
  __u32 slot = flow_hash(flow) % RING;
  __u32* backend = bpf_map_lookup_elem(ring, &slot);
  return backend ? *backend : 0;
}

// The backend of this packet, and by *outcome how it was found. A connection whose backend is gone gets another one.
static __always_inline struct backend* choose(struct service* service, struct flow* flow, bool whole,
                                              enum outcome* outcome) {
  __u32* known = whole ? bpf_map_lookup_elem(&connections, flow) : 0;
  if (known) {
    struct backend* backend = bpf_map_lookup_elem(&backends, known);
    *outcome = TX_KNOWN_CONNECTION;
    if (backend) return backend;
  }
  __u32 id = from_ring(service, flow);
  struct backend* backend = bpf_map_lookup_elem(&backends, &id);
  *outcome = TX_FRAGMENT;
  if (backend && whole) {
    *outcome = TX_NEW_CONNECTION;
    bpf_map_update_elem(&connections, flow, &id, BPF_ANY);
    __sync_fetch_and_add(&service->connections, 1);
  }
  return backend;
}

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

// Replaces the Ethernet header and VLAN tags, `l3` bytes, by an Ethernet header to the gateway and an IP header to the
// backend.
static __always_inline int encapsulate(struct xdp_md* ctx, const struct packet* p, __be32 backend, __u8* our_mac) {
  int grow = (int)sizeof(struct iphdr) + ETH_HLEN - p->l3;
  __u16 inner = p->l4 - p->l3 + p->payload;
  if (bpf_xdp_adjust_head(ctx, -grow)) return -1;
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = (void*)(eth + 1);
  if ((void*)(ip + 1) > end) return -1;
  for (int i = 0; i < ETH_ALEN; i++) eth->h_dest[i] = gateway_mac[i];
  __builtin_memcpy(eth->h_source, our_mac, ETH_ALEN);
  eth->h_proto = bpf_htons(ETH_P_IP);
  *ip = (struct iphdr){.version = 4,
                       .ihl = 5,
                       .tot_len = bpf_htons(inner + sizeof(*ip)),
                       .ttl = 64,
                       .protocol = p->version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
                       .saddr = tunnel_source,
                       .daddr = backend};
  ip->check = fold(bpf_csum_diff(0, 0, (__be32*)ip, sizeof(*ip), 0));
  return 0;
}

static __always_inline enum outcome balance(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct packet p = {};
  enum parsed parsed = parse_packet(data, end, &p);
  if (parsed != PARSED) return parsed == NOT_IP ? PASS_NOT_OURS : DROP_BROKEN;

  bool whole = p.fragment == WHOLE;
  struct service_key key = {p.destination, whole ? p.destination_port : 0, p.protocol, 0};
  struct service* service = bpf_map_lookup_elem(&services, &key);
  if (!service) return PASS_NOT_OURS;

  struct flow flow = {.client = p.source, .service = p.destination, .protocol = p.protocol};
  if (whole) flow.client_port = p.source_port, flow.service_port = p.destination_port;
  enum outcome outcome;
  struct backend* backend = choose(service, &flow, whole, &outcome);
  if (!backend) return DROP_NO_BACKEND;

  __u8 our_mac[ETH_ALEN];
  if (data + ETH_HLEN > end) return DROP_BROKEN;
  __builtin_memcpy(our_mac, data, ETH_ALEN);
  if (encapsulate(ctx, &p, backend->address, our_mac)) return DROP_NO_ROOM;
  __sync_fetch_and_add(&backend->packets, 1);
  __sync_fetch_and_add(&backend->bytes, p.l4 - p.l3 + p.payload);
  if (p.protocol == IPPROTO_TCP && p.tcp_flags & TCP_RST) bpf_map_delete_elem(&connections, &flow);
  return outcome;
}

SEC("xdp")
int balancer(struct xdp_md* ctx) {
  enum outcome outcome = balance(ctx);
  __u64* count = bpf_map_lookup_elem(&outcomes, &outcome);
  if (count) ++*count;
  if (outcome == PASS_NOT_OURS) return XDP_PASS;
  return outcome <= TX_FRAGMENT ? XDP_TX : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
