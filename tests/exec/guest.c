// An ordinary libbpf program that knows nothing of skep: loads guest.bpf.o, runs it on packets, and prints what
// it finds in global data, maps and the ring buffer. Its output must be the same on a hive and on the kernel.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct event {
  unsigned long long packet;
  unsigned int length;
  unsigned int sum;
};

static int on_event(void* context, void* data, size_t size) {
  const struct event* event = data;
  (void)context;
  printf("event: packet %llu, %u bytes, sum %u (%zu)\n", event->packet, event->length, event->sum, size);
  return 0;
}

static void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

int main(int argc, char** argv) {
  struct bpf_object* object = argc == 2 ? bpf_object__open(argv[1]) : NULL;
  if (!object) die("open");

  size_t size = 0;
  struct bpf_map* rodata = bpf_object__find_map_by_name(object, ".rodata");
  const unsigned int weight = 10;
  if (!rodata || !bpf_map__initial_value(rodata, &size) || bpf_map__set_initial_value(rodata, &weight, size))
    die("rodata");
  if (bpf_object__load(object)) die("load");

  int program = bpf_program__fd(bpf_object__find_program_by_name(object, "count"));
  struct ring_buffer* ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"), on_event, NULL, NULL);
  if (!ring) die("ring buffer");

  unsigned char packet[128] = {0};
  for (unsigned int length = 60; length <= 64; length += 2) {
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = length, .repeat = length - 59);
    if (bpf_prog_test_run_opts(program, &run)) die("run");
    printf("run: %u bytes, verdict %u\n", length, run.retval);
    printf("polled: %d\n", ring_buffer__poll(ring, 1000));
  }

  const struct bpf_map* bss = bpf_object__find_map_by_name(object, ".bss");
  const unsigned long long* packets = mmap(NULL, bpf_map__value_size(bss), PROT_READ, MAP_SHARED, bpf_map__fd(bss), 0);
  if (packets == MAP_FAILED) die("mmap");
  printf("packets: %llu\n", *packets);

  int by_length = bpf_object__find_map_fd_by_name(object, "by_length");
  for (unsigned int length = 60; length <= 65; ++length) {
    unsigned long long seen = 0;
    if (bpf_map_lookup_elem(by_length, &length, &seen) == 0) printf("length %u: %llu\n", length, seen);
  }

  int cpus = libbpf_num_possible_cpus();
  unsigned long long* runs = calloc((size_t)cpus, sizeof(*runs));
  unsigned long long total = 0;
  unsigned int zero = 0;
  if (!runs || bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, "runs"), &zero, runs)) die("runs");
  for (int cpu = 0; cpu < cpus; ++cpu) total += runs[cpu];
  printf("runs: %llu\n", total);

  struct bpf_prog_info info = {0};
  unsigned int info_size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &info_size)) die("info");
  printf("program: %s, type %u, %u maps\n", info.name, info.type, info.nr_map_ids);

  free(runs);
  ring_buffer__free(ring);
  bpf_object__close(object);
  return 0;
}
