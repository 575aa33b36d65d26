// Iterators over what a hive has, as people write them: by the kernel's structures, relocated when they are loaded.
// One for each object file: MAPS, PROGRAMS, LINKS or ELEMENTS.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;
struct bpf_iter_meta {
  struct seq_file* seq;
  __u64 session_id, seq_num;
};
struct bpf_map {
  enum bpf_map_type map_type;
  __u32 id, key_size, value_size, max_entries;
  char name[16];
};
struct bpf_prog_aux {
  __u32 id;
  char name[16];
};
struct bpf_prog {
  struct bpf_prog_aux* aux;
};
struct bpf_link {
  __u32 id;
  struct bpf_prog* prog;
};
struct bpf_iter__bpf_map {
  struct bpf_iter_meta* meta;
  struct bpf_map* map;
};
struct bpf_iter__bpf_prog {
  struct bpf_iter_meta* meta;
  struct bpf_prog* prog;
};
struct bpf_iter__bpf_link {
  struct bpf_iter_meta* meta;
  struct bpf_link* link;
};
struct bpf_iter__bpf_map_elem {
  struct bpf_iter_meta* meta;
  struct bpf_map* map;
  void *key, *value;
};
#pragma clang attribute pop

#ifdef MAPS
SEC("iter/bpf_map")
int list_maps(struct bpf_iter__bpf_map* ctx) {
  struct seq_file* seq = ctx->meta->seq;
  struct bpf_map* map = ctx->map;
  if (ctx->meta->seq_num == 0) BPF_SEQ_PRINTF(seq, "type key value entries name\n");
  if (map)
    BPF_SEQ_PRINTF(seq, "%4u %3u %5u %7u %s\n", map->map_type, map->key_size, map->value_size, map->max_entries,
                   map->name);
  return 0;
}
#endif

#ifdef PROGRAMS
SEC("iter/bpf_prog")
int list_programs(struct bpf_iter__bpf_prog* ctx) {
  struct bpf_prog* prog = ctx->prog;
  if (prog) BPF_SEQ_PRINTF(ctx->meta->seq, "program %s\n", prog->aux->name);
  return 0;
}
#endif

#ifdef LINKS
SEC("iter/bpf_link")
int list_links(struct bpf_iter__bpf_link* ctx) {
  struct bpf_link* link = ctx->link;
  if (link) BPF_SEQ_PRINTF(ctx->meta->seq, "link of %s\n", link->prog->aux->name);
  return 0;
}
#endif

#ifdef ELEMENTS
SEC("iter/bpf_map_elem")
int list_elements(struct bpf_iter__bpf_map_elem* ctx) {
  __u32 *key = ctx->key, *value = ctx->value;
  if (key && value) BPF_SEQ_PRINTF(ctx->meta->seq, "%u: %u\n", *key, *value);
  return 0;
}
#endif
