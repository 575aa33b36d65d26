// A packet filter at XDP: drops what is malformed, what comes from a blocked network (longest prefix match, IPv4 and
// IPv6), and what a source sends beyond its rate (a token bucket each). Counts every decision by its reason and reports
// drops through a ring buffer.
#include "../common/clock.h"
#include "../common/packet.h"

enum reason {
  PASS_OTHER,  // not IP: ARP, LLDP ...
  PASS_ALLOWED,
  DROP_TRUNCATED,
  DROP_MALFORMED,
  DROP_BLOCKED,
  DROP_RATE,
  DROP_FRAGMENT,
  REASONS,
};
#include "../common/counters.h"

// Configuration, set before loading. A rate of 0 switches the token buckets off.
const volatile __u64 rate_per_second = 1000;
const volatile __u64 burst = 200;
const volatile bool drop_fragments = false;

struct ipv4_prefix {
  __u32 length;
  __be32 address;
};

struct ipv6_prefix {
  __u32 length;
  struct address address;
};

struct rule {
  __u32 id;   // the administrator's number for it
  __u32 log;  // report every so many hits; 0: none
  __u64 hits;
};

struct bucket {
  __u64 tokens;   // in thousandths of a packet
  __u64 filled;   // when, ns
  __u64 refused;  // packets since it was last half full
};

struct event {
  struct address source;
  struct address destination;
  __be16 source_port;
  __be16 destination_port;
  __u16 vlan;
  __u8 protocol;
  __u8 reason;
  __u32 rule;
  __u32 bytes;
};

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 10000);
  __type(key, struct ipv4_prefix);
  __type(value, struct rule);
} blocked4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 10000);
  __type(key, struct ipv6_prefix);
  __type(value, struct rule);
} blocked6 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, struct address);
  __type(value, struct bucket);
} buckets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} events SEC(".maps");

__u64 events_lost = 0;

static __always_inline struct rule* blocking_rule(const struct packet* p) {
  if (p->version == 4) {
    struct ipv4_prefix key = {32, p->source.word[3]};
    return bpf_map_lookup_elem(&blocked4, &key);
  }
  struct ipv6_prefix key = {128, p->source};
  return bpf_map_lookup_elem(&blocked6, &key);
}

// Takes one packet's worth out of the source's bucket. A subprogram of its own: it is called, not inlined.
// Gives 0 if there is one, else how many packets were refused, this one included, since the bucket was last half full.
static __noinline __u64 over_rate(const struct address* source) {
  const __u64 full = burst * 1000, per_packet = 1000;
  __u64 now = clock_now();
  struct bucket* bucket = bpf_map_lookup_elem(&buckets, source);
  if (!bucket) {
    struct bucket first = {full - per_packet, now, 0};
    bpf_map_update_elem(&buckets, source, &first, BPF_NOEXIST);
    return 0;
  }
  // Tokens since the last packet: elapsed ns * rate / 10^9, in thousandths; an hour is more than any bucket holds.
  __u64 elapsed = now - bucket->filled;
  if (elapsed > 3600000000000ULL) elapsed = 3600000000000ULL;
  __u64 tokens = bucket->tokens + elapsed / 1000 * rate_per_second / 1000;
  if (tokens > full) tokens = full;
  bucket->filled = now;
  if (tokens < per_packet) {
    bucket->tokens = tokens;
    return ++bucket->refused;
  }
  bucket->tokens = tokens - per_packet;
  if (tokens >= full / 2) bucket->refused = 0;
  return 0;
}

// A function of its own: as part of its prototype, the type of the records is in the object's BTF (skep run --record).
static __noinline void fill(struct event* event, const struct packet* p, enum reason reason, __u32 rule, __u32 bytes) {
  *event = (struct event){.source = p->source,
                          .destination = p->destination,
                          .source_port = p->source_port,
                          .destination_port = p->destination_port,
                          .vlan = p->vlan,
                          .protocol = p->protocol,
                          .reason = reason,
                          .rule = rule,
                          .bytes = bytes};
}

static __always_inline void report(const struct packet* p, enum reason reason, __u32 rule, __u32 bytes) {
  struct event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    __sync_fetch_and_add(&events_lost, 1);
    return;
  }
  fill(event, p, reason, rule, bytes);
  bpf_ringbuf_submit(event, 0);
}

static __always_inline enum reason decide(const struct packet* p, __u32 bytes) {
  struct rule* rule = blocking_rule(p);
  if (rule) {
    __u64 hits = __sync_fetch_and_add(&rule->hits, 1);
    if (rule->log && hits % rule->log == 0) report(p, DROP_BLOCKED, rule->id, bytes);
    return DROP_BLOCKED;
  }
  if (drop_fragments && p->fragment != WHOLE) return DROP_FRAGMENT;
  __u64 refused = rate_per_second ? over_rate(&p->source) : 0;
  if (refused == 1) report(p, DROP_RATE, 0, bytes);
  return refused ? DROP_RATE : PASS_ALLOWED;
}

SEC("xdp")
int firewall(struct xdp_md* ctx) {
  void *data = (void*)(long)ctx->data, *end = (void*)(long)ctx->data_end;
  struct packet p = {};
  enum reason reason;
  switch (parse_packet(data, end, &p)) {
    case PARSED: reason = decide(&p, end - data); break;
    case NOT_IP: reason = PASS_OTHER; break;
    case TRUNCATED: reason = DROP_TRUNCATED; break;
    default: reason = DROP_MALFORMED;
  }
  count_packet(reason, end - data);
  return reason <= PASS_ALLOWED ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
