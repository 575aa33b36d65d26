// Protects hosts from two floods, at XDP.
// SYN flood: while a protected host gets more SYNs than its policy allows, the first SYN of each client is dropped and
// the client remembered; a real client sends it again and is let in, a forged source does not. DNS amplification:
// answers nobody can have asked for in such amounts are dropped beyond the host's allowance of bytes; a query for ANY,
// which makes our own server the amplifier, gets an empty answer with the TC bit, so that a real client asks again over
// TCP.
#include "../common/clock.h"
#include "../common/packet.h"

#define SECOND 1000000000ULL

enum reason {
  PASS_OTHER,
  PASS_UNPROTECTED,
  PASS_CLEAN,
  PASS_RETRIED_SYN,
  TX_TRUNCATED_DNS,
  DROP_BROKEN,
  DROP_SYN_FLOOD,
  DROP_DNS_FLOOD,
  DROP_DNS_ANY,
  REASONS,
};
#include "../common/counters.h"

struct policy {
  __u32 syns_per_second;
  __u32 dns_bytes_per_second;
};

struct window {  // one second of one protected host
  __u64 start;
  __u32 syns;
  __u32 dns_bytes;
};

struct client {
  struct address client;
  struct address host;
  __be16 port;  // of the host
  __u8 zero[2];
};

struct dns_header {
  __be16 id;
  __be16 flags;
  __be16 questions;
  __be16 answers;
  __be16 authorities;
  __be16 additional;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct address);
  __type(value, struct policy);
} policies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct address);
  __type(value, struct window);
} windows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, struct client);
  __type(value, __u64);  // when its SYN was dropped, ns
} waiting SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u16);
  __type(value, __u64);
} query_types SEC(".maps");

// The host's current window, begun anew when a second is over.
static __always_inline struct window* current_window(const struct address* host, __u64 now) {
  struct window* window = bpf_map_lookup_elem(&windows, host);
  if (!window) {
    struct window first = {.start = now};
    bpf_map_update_elem(&windows, host, &first, BPF_NOEXIST);
    window = bpf_map_lookup_elem(&windows, host);
    if (!window) return 0;
  }
  if (now - window->start >= SECOND) *window = (struct window){.start = now};
  return window;
}

static __noinline enum reason check_syn(const struct packet* p, const struct policy* policy) {
  __u64 now = clock_now();
  struct window* window = current_window(&p->destination, now);
  if (!window) return PASS_CLEAN;
  if (__sync_fetch_and_add(&window->syns, 1) < policy->syns_per_second) return PASS_CLEAN;
  struct client client = {.client = p->source, .host = p->destination, .port = p->destination_port};
  __u64* since = bpf_map_lookup_elem(&waiting, &client);
  if (since && now - *since < 60 * SECOND) {
    bpf_map_delete_elem(&waiting, &client);
    return PASS_RETRIED_SYN;
  }
  bpf_map_update_elem(&waiting, &client, &now, BPF_ANY);
  return DROP_SYN_FLOOD;
}

struct name_walk {
  struct xdp_md* ctx;
  __u32 offset;
  bool ended;
};

static long next_label(__u32 index, struct name_walk* walk) {
  __u8 length;
  if (bpf_xdp_load_bytes(walk->ctx, walk->offset, &length, 1)) return 1;
  if (length & 0xc0) return 1;  // compression has no place in a question
  walk->offset += length + 1;
  walk->ended = length == 0;
  return walk->ended;
}

// The type asked for by the first question at `offset`, 0 if it is not well formed; *end is where that question ends.
__noinline __u16 question_type(struct xdp_md* ctx, __u32 offset, __u32* end) {
  struct name_walk walk = {.ctx = ctx, .offset = offset};
  __be16 type;
  if (!end) return 0;
  bpf_loop(128, next_label, &walk, 0);
  if (!walk.ended || bpf_xdp_load_bytes(ctx, walk.offset, &type, sizeof(type))) return 0;
  *end = walk.offset + 4;
  return bpf_ntohs(type);
}

static __always_inline __u16 fold(__u32 sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

// Turns an IPv4 query, cut after its question, into its own answer: TC set, no records, sent back to where it came
// from.
static __always_inline enum reason answer_truncated(struct xdp_md* ctx, __u32 l3, __u32 question_end) {
  int surplus = (int)bpf_xdp_get_buff_len(ctx) - (int)question_end;
  if (surplus < 0 || bpf_xdp_adjust_tail(ctx, -surplus)) return DROP_DNS_ANY;
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct ethhdr* eth = data;
  struct iphdr* ip = data + (l3 & 0x3f);
  struct udphdr* udp = (void*)(ip + 1);
  struct dns_header* dns = (void*)(udp + 1);
  if ((void*)(eth + 1) > end || (void*)(dns + 1) > end || ip->ihl != 5) return DROP_DNS_ANY;

  struct ethhdr old = *eth;
  __builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
  __builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
  __be32 client = ip->saddr;
  ip->saddr = ip->daddr;
  ip->daddr = client;
  ip->tot_len = bpf_htons(question_end - l3);
  ip->ttl = 64;
  ip->check = 0;
  ip->check = fold(bpf_csum_diff(0, 0, (__be32*)ip, sizeof(*ip), 0));
  __be16 port = udp->source;
  udp->source = udp->dest;
  udp->dest = port;
  udp->len = bpf_htons(question_end - l3 - sizeof(*ip));
  udp->check = 0;                                                     // IPv4 allows a datagram without
  dns->flags = (dns->flags & bpf_htons(0x7900)) | bpf_htons(0x8200);  // opcode and RD stay; QR, TC
  dns->answers = dns->authorities = dns->additional = 0;
  return TX_TRUNCATED_DNS;
}

static __always_inline enum reason check_dns_query(struct xdp_md* ctx, const struct packet* p) {
  const __u16 any = 255;
  __u32 end = 0;
  __u16 type = question_type(ctx, p->l4 + sizeof(struct udphdr) + sizeof(struct dns_header), &end);
  if (!type) return DROP_BROKEN;
  __u64 one = 1, *count = bpf_map_lookup_elem(&query_types, &type);
  if (count) {
    __sync_fetch_and_add(count, 1);
  } else {
    bpf_map_update_elem(&query_types, &type, &one, BPF_NOEXIST);
  }
  if (type != any) return PASS_CLEAN;
  return p->version == 4 ? answer_truncated(ctx, p->l3, end) : DROP_DNS_ANY;
}

static __always_inline enum reason check_udp(struct xdp_md* ctx, const struct packet* p, const struct policy* policy) {
  const __be16 dns = bpf_htons(53);
  // Later fragments of an amplified answer carry no port: they count as DNS, too.
  if (p->source_port == dns || p->fragment == LATER_FRAGMENT) {
    struct window* window = current_window(&p->destination, clock_now());
    if (!window || policy->dns_bytes_per_second == 0) return PASS_CLEAN;
    __u32 before = __sync_fetch_and_add(&window->dns_bytes, p->payload);
    return before + p->payload > policy->dns_bytes_per_second ? DROP_DNS_FLOOD : PASS_CLEAN;
  }
  if (p->destination_port == dns && p->fragment == WHOLE) return check_dns_query(ctx, p);
  return PASS_CLEAN;
}

static __always_inline enum reason decide(struct xdp_md* ctx) {
  struct packet p = {};
  enum parsed parsed = parse_packet((void*)(long)ctx->data, (void*)(long)ctx->data_end, &p);
  if (parsed != PARSED) return parsed == NOT_IP ? PASS_OTHER : DROP_BROKEN;
  struct policy* policy = bpf_map_lookup_elem(&policies, &p.destination);
  if (!policy) return PASS_UNPROTECTED;
  if (p.protocol == IPPROTO_TCP && (p.tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) return check_syn(&p, policy);
  if (p.protocol == IPPROTO_UDP) return check_udp(ctx, &p, policy);
  return PASS_CLEAN;
}

SEC("xdp")
int shield(struct xdp_md* ctx) {
  __u32 bytes = bpf_xdp_get_buff_len(ctx);
  enum reason reason = decide(ctx);
  count_packet(reason, bytes);
  if (reason == TX_TRUNCATED_DNS) return XDP_TX;
  return reason < TX_TRUNCATED_DNS ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
