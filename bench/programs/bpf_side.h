// The BPF side of program.h: maps and helpers are libbpf's.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define PROGRAM(name) SEC("xdp") int name(struct xdp_md* ctx)
#define HIDDEN
#define MAP(name, kind, key_type, value_type, entries) \
  struct {                                             \
    __uint(type, BPF_MAP_TYPE_##kind);                 \
    __uint(max_entries, entries);                      \
    __type(key, key_type);                             \
    __type(value, value_type);                         \
  } name SEC(".maps")
#define LPM_MAP(name, key_type, value_type, entries) \
  struct {                                           \
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);             \
    __uint(max_entries, entries);                    \
    __uint(map_flags, BPF_F_NO_PREALLOC);            \
    __type(key, key_type);                           \
    __type(value, value_type);                       \
  } name SEC(".maps")
#define RING(name, bytes)               \
  struct {                              \
    __uint(type, BPF_MAP_TYPE_RINGBUF); \
    __uint(max_entries, bytes);         \
  } name SEC(".maps")

char LICENSE[] SEC("license") = "GPL";
