// The headers of a packet, for the example programs: Ethernet, up to two VLAN tags (802.1Q, 802.1ad), IPv4 with
// options, IPv6 with extension headers, fragments, and the ports of TCP and UDP. Reads nothing beyond `end`, checks the
// lengths the headers claim against what is there.
#pragma once

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum parsed { PARSED, NOT_IP, TRUNCATED, MALFORMED };
enum fragment { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_ACK = 16 };

// An IPv4 address stands as ::ffff:a.b.c.d, so that one key type serves both.
struct address {
  __be32 word[4];
};

struct packet {
  struct address source;
  struct address destination;
  __be16 source_port;  // ports are 0 where there are none, or in a later fragment
  __be16 destination_port;
  __u16 vlan;     // id of the outermost tag, 0 without one
  __u16 l3;       // offset of the IP header
  __u16 l4;       // offset of what follows it and its options or extension headers
  __u16 payload;  // bytes from l4 to the end of the IP packet, by its own length
  __u8 version;   // 4 or 6
  __u8 protocol;  // of the header at l4
  __u8 fragment;  // enum fragment
  __u8 tcp_flags;
};

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

struct extension {  // hop-by-hop, routing, destination options: a multiple of 8 bytes
  __u8 next;
  __u8 length;
  __u8 data[6];
};

struct fragment_extension {
  __u8 next;
  __u8 reserved;
  __be16 offset;  // in 8 bytes, shifted by 3; the low bit is "more fragments"
  __be32 id;
};

static __always_inline struct address mapped_address(__be32 v4) {
  return (struct address){{0, 0, bpf_htonl(0xffff), v4}};
}

static __always_inline enum fragment fragment_kind(__u32 offset, __u32 more) {
  return offset ? LATER_FRAGMENT : more ? FIRST_FRAGMENT : WHOLE;
}

// A length of 16 bits. Kernels do not follow numbers through a change of byte order before 6.18; the mask tells them
// the range, and keeps the compiler from knowing it.
static __always_inline __u32 length_of(__be16 field) {
  __u32 length = bpf_ntohs(field);
  asm volatile("%0 &= 0xffff" : "+r"(length));
  return length;
}

// Each parser takes the position of its header and gives that of the next, or null with *why set.
static __always_inline void* parse_ipv4(void* at, void* end, struct packet* p, enum parsed* why) {
  struct iphdr* ip = at;
  *why = TRUNCATED;
  if ((void*)(ip + 1) > end) return 0;
  __u32 header = ip->ihl * 4, total = length_of(ip->tot_len);
  __u32 frag = bpf_ntohs(ip->frag_off);
  *why = MALFORMED;
  if (ip->version != 4 || header < sizeof(*ip) || total < header) return 0;
  *why = TRUNCATED;
  if (at + total > end) return 0;
  p->version = 4;
  p->protocol = ip->protocol;
  p->source = mapped_address(ip->saddr);
  p->destination = mapped_address(ip->daddr);
  p->fragment = fragment_kind(frag & 0x1fff, frag & 0x2000);
  p->payload = total - header;
  return at + header;
}

static __always_inline void* parse_ipv6(void* at, void* end, struct packet* p, enum parsed* why) {
  struct ipv6hdr* ip = at;
  *why = TRUNCATED;
  if ((void*)(ip + 1) > end) return 0;
  __u32 left = length_of(ip->payload_len);
  *why = MALFORMED;
  if (ip->version != 6) return 0;
  *why = TRUNCATED;
  if ((void*)(ip + 1) + left > end) return 0;
  p->version = 6;
  __builtin_memcpy(&p->source, &ip->saddr, sizeof(p->source));
  __builtin_memcpy(&p->destination, &ip->daddr, sizeof(p->destination));
  __u8 next = ip->nexthdr;
  void* cursor = ip + 1;
  *why = MALFORMED;
  for (int i = 0; i < 6; i++) {
    struct extension* ext = cursor;
    __u32 size = sizeof(*ext);
    if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT)
      break;
    if (left < size || (void*)(ext + 1) > end) return 0;
    if (next == IPPROTO_FRAGMENT) {
      __u32 offset = bpf_ntohs(((struct fragment_extension*)ext)->offset);
      p->fragment = fragment_kind(offset >> 3, offset & 1);
    } else {
      size += ext->length * 8;
    }
    next = ext->next;
    if (left < size) return 0;
    left -= size;
    cursor += size;
    if (p->fragment == LATER_FRAGMENT) break;
  }
  p->protocol = next;
  p->payload = left;
  return cursor;
}

static __always_inline enum parsed parse_ports(void* at, void* end, struct packet* p) {
  if (p->fragment == LATER_FRAGMENT) return PARSED;
  if (p->protocol == IPPROTO_TCP) {
    struct tcphdr* tcp = at;
    if (p->payload < sizeof(*tcp)) return MALFORMED;
    if ((void*)(tcp + 1) > end) return TRUNCATED;
    if (tcp->doff < 5) return MALFORMED;
    p->source_port = tcp->source;
    p->destination_port = tcp->dest;
    p->tcp_flags = ((__u8*)tcp)[13];
  } else if (p->protocol == IPPROTO_UDP) {
    struct udphdr* udp = at;
    if (p->payload < sizeof(*udp)) return MALFORMED;
    if ((void*)(udp + 1) > end) return TRUNCATED;
    if (bpf_ntohs(udp->len) < sizeof(*udp)) return MALFORMED;
    p->source_port = udp->source;
    p->destination_port = udp->dest;
  }
  return PARSED;
}

// Fills *p, which the caller zeroes, as far as the packet goes; PARSED when all of it made sense.
static __always_inline enum parsed parse_packet(void* data, void* end, struct packet* p) {
  struct ethhdr* eth = data;
  if ((void*)(eth + 1) > end) return TRUNCATED;
  __be16 protocol = eth->h_proto;
  void* cursor = eth + 1;
  for (int i = 0; i < 2; i++) {
    struct vlan_tag* tag = cursor;
    if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
    if ((void*)(tag + 1) > end) return TRUNCATED;
    if (i == 0) p->vlan = bpf_ntohs(tag->tci) & 0xfff;
    protocol = tag->protocol;
    cursor = tag + 1;
  }
  enum parsed why;
  p->l3 = cursor - data;
  if (protocol == bpf_htons(ETH_P_IP)) {
    cursor = parse_ipv4(cursor, end, p, &why);
  } else if (protocol == bpf_htons(ETH_P_IPV6)) {
    cursor = parse_ipv6(cursor, end, p, &why);
  } else {
    return NOT_IP;
  }
  if (!cursor) return why;
  p->l4 = cursor - data;
  return parse_ports(cursor, end, p);
}
