// light PIN: loads a light skeleton, which does so by a program of type syscall; runs one program, pins the other's
// link.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "light.lskel.h"

int main(int argc, char** argv) {
  struct light_bpf* light = light_bpf__open();
  if (argc < 2 || light == NULL) return 2;
  light->rodata->wanted = 3;
  if (light_bpf__load(light) != 0 || light_bpf__attach(light) != 0) {
    printf("not loaded: %s\n", strerror(errno));
    return 1;
  }
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof packet);
  const int ran = bpf_prog_test_run_opts(light->progs.count.prog_fd, &opts);
  printf("ran: %d, returned %u, seen %llu\n", ran, opts.retval, (unsigned long long)light->data->seen);
  if (bpf_obj_pin(light->links.list_light_fd, argv[1]) != 0) {
    printf("not pinned: %s\n", strerror(errno));
    return 1;
  }
  light_bpf__destroy(light);
  return 0;
}
