/* skep: the Linux eBPF system in user space. The C API.
 *
 * A hive is one eBPF instance: its programs, maps and BTFs, private to this process. skep_bpf() is bpf(2) on it, with
 * the commands, attributes and errno numbers of Linux 6.12; the descriptors it returns are ordinary file descriptors of
 * this process (close them with close(), map mmapable maps with mmap()). Everything that can be asked of a kernel is
 * asked that way. skep_run_bytes() is the short way to see what a program says to some bytes.
 *
 * Threads: all functions may be called by any number of threads. After a fork, parent and child share the bytes of the
 * maps there were, and nothing made later. Link with libskep (pkg-config skep, or find_package(skep)).
 *
 * Tested by: hive/c_api_test.cc, hive/c_api_map_test.cc.
 */
#ifndef SKEP_SKEP_H
#define SKEP_SKEP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SKEP_API __attribute__((visibility("default")))
#else
#define SKEP_API
#endif

typedef struct skep_hive skep_hive;

enum skep_engine {
  SKEP_ENGINE_CHECKED = 0, /* every memory access is checked while the program runs */
  SKEP_ENGINE_INTERP = 1,  /* trusts the program, as a kernel does after verification */
  SKEP_ENGINE_JIT = 2,     /* the same, as machine code; interpreted where memory may not be executable */
};

/* A new hive, or NULL with errno set. */
SKEP_API skep_hive* skep_hive_new(enum skep_engine engine);

enum {
  SKEP_JIT_RETPOLINES = 1,  /* no indirect jump in compiled code that a processor could guess */
  SKEP_JIT_NO_BARRIERS = 2, /* the barriers against speculation that programs of the unprivileged need are left out */
};

/* A hive with more to choose. Set all of it to zero first, then `size`; what a later version adds stays zero. */
struct skep_hive_options {
  uint32_t size;         /* sizeof(struct skep_hive_options) */
  uint32_t engine;       /* enum skep_engine */
  uint32_t jit_harden;   /* whose constants stay out of compiled code, as net.core.bpf_jit_harden: 0 nobody's,
                            1 those of programs loaded without CAP_BPF, 2 everybody's */
  uint32_t jit_flags;    /* SKEP_JIT_* */
  const char* jit_tools; /* who is told of compiled code, a list of: perf-map, jitdump, gdb, unwinder; or NULL */
};

/* A new hive, or NULL with errno set: EINVAL when a value is none that is known, E2BIG when `size` is larger than this
 * version's and what is behind it not zero; skep_last_error() says which. */
SKEP_API skep_hive* skep_hive_open(const struct skep_hive_options* options);

/* Ends a hive. Its descriptors stay open and are no objects any more; close them. NULL is allowed. */
SKEP_API void skep_hive_free(skep_hive* hive);

/* bpf(cmd, attr, size) on a hive: a descriptor, a count or 0; or -1 with errno set. `attr` is a union bpf_attr. */
SKEP_API long skep_bpf(skep_hive* hive, int cmd, void* attr, uint32_t size);

/* A sentence about the last call of this thread that failed, or "" when the errno says it all. Valid until the next
 * call. */
SKEP_API const char* skep_last_error(void);

/* Why the last test run of this thread was stopped by its engine, in one sentence; "" when it was not. */
SKEP_API const char* skep_last_failure(void);

/* Runs the program behind `prog_fd` once on a packet of `size` bytes (14 at least), as BPF_PROG_TEST_RUN does. The
 * packet as the program leaves it goes to `out`, which has room for *out_size bytes; *out_size becomes its size. `out`
 * and `out_size` may be NULL. Returns 0 with the program's return value in *result, or -1 with errno set: EBADF or
 * EINVAL (no such program, packet too short), ENOSPC (`out` too small: its first bytes are there), EACCES (the engine
 * stopped the program). */
SKEP_API int skep_run_bytes(skep_hive* hive, int prog_fd, const void* packet, uint32_t size, void* out,
                            uint32_t* out_size, uint32_t* result);

/* ---- Elements of maps at memory speed
 *
 * skep_map_open() looks at a descriptor once; what follows is a function call into the map, with the answers of
 * bpf(2)'s element commands: the same flags, the same errno numbers, the rights of the descriptor it was opened from,
 * freezing and locks minded. Keys have key_size bytes; values have value_bytes: those of every CPU, each rounded up to
 * 8, in per-CPU maps. Queues, stacks and bloom filters take NULL for the key: lookup shows the next value (a bloom
 * filter is asked for what is in `value`), update pushes, take pops. Functions return 0, or -1 with errno set: ENOENT
 * (absent), EEXIST, E2BIG (full, or an index out of range), EPERM (frozen, or not the descriptor's right), EBUSY (a
 * lock that another holds for a second), EINVAL, EOPNOTSUPP. skep/map.h is the same with types, in C++.
 *
 * Lifetime: a handle keeps its map (and does not keep the descriptor, which may be closed), also when the hive is
 * freed; close it once, when no other thread uses it. In a forked child a handle goes on working on the same map.
 * Threads: any number may use one handle. */
typedef struct skep_map skep_map;

struct skep_map_info {
  uint32_t type;       /* enum bpf_map_type */
  uint32_t key_size;   /* bytes */
  uint32_t value_size; /* bytes, of one CPU */
  uint32_t max_entries;
  uint32_t cpus;        /* values of an element: the possible CPUs in per-CPU maps, else 1 */
  uint32_t value_bytes; /* of a value as it is passed here */
  char name[16];        /* ends with a NUL */
};

/* A handle on the map behind `fd`, of a hive or, when `hive` is NULL, of the kernel or whoever answers libc's
 * syscall(SYS_bpf): the same functions then are bpf(2) calls on a duplicate of the descriptor. NULL with errno set:
 * EBADF or EINVAL (no such map), EOPNOTSUPP (its values are other objects, or it has no elements). */
SKEP_API skep_map* skep_map_open(skep_hive* hive, int fd);
/* Ends a handle. NULL is allowed. */
SKEP_API void skep_map_close(skep_map* map);
/* What the map is: the first `size` bytes of the structure. */
SKEP_API void skep_map_describe(const skep_map* map, struct skep_map_info* info, uint32_t size);

SKEP_API int skep_map_lookup(skep_map* map, const void* key, void* value);
SKEP_API int skep_map_update(skep_map* map, const void* key, const void* value, uint64_t flags);
SKEP_API int skep_map_delete(skep_map* map, const void* key);
/* Lookup and delete in one. */
SKEP_API int skep_map_take(skep_map* map, const void* key, void* value);
/* The key behind `key` in the map's own order; the first for NULL and for a key that is not there. ENOENT at the end.
 * `next` must not overlap `key`. */
SKEP_API int skep_map_next_key(skep_map* map, const void* key, void* next);

/* The value itself, as a program's bpf_map_lookup_elem() gives it: programs and other threads read and write it
 * meanwhile, so use atomic operations for what is shared. It stays valid memory until the handle is closed; after the
 * element was deleted it may show another element's value. NULL: absent, or a map that does not give its values away
 * (kernel maps, per-CPU maps, values with locks or timers, frozen maps, descriptors of one direction). */
SKEP_API void* skep_map_value(skep_map* map, const void* key);

/* Non-zero when `fd` is a map, program, BTF or link of any hive. */
SKEP_API int skep_owns(int fd);

#ifdef __cplusplus
}
#endif

#endif
