// hold NAME: makes a map of that name on whatever answers bpf(2), says "held ID" and keeps it until its input ends. A forked
// child has written key 1 before.
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  return 1;
}

int main(int argc, char** argv) {
  int map = argc == 2 ? bpf_map_create(BPF_MAP_TYPE_HASH, argv[1], 4, 8, 8, NULL) : -1;
  if (map < 0) return die("create");
  unsigned int key = 1;
  unsigned long long value = 0, written = 41;
  const pid_t child = fork();
  if (child == 0) _exit(bpf_map_update_elem(map, &key, &written, BPF_ANY) ? 1 : 0);
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) return die("child");
  if (bpf_map_lookup_elem(map, &key, &value) || value != written) return die("lookup");
  struct bpf_map_info info = {0};
  unsigned int size = sizeof(info);
  if (bpf_obj_get_info_by_fd(map, &info, &size)) return die("info");
  printf("held %u\n", info.id);
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
