// many MAPS PROGRAMS [COMMAND...]: makes so many maps and programs on whatever answers bpf(2), checks that each map keeps what
// was written into it, and keeps all of them while the command runs. Ends as the command does, or with 1 and why.
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kEntries = 64 };  // of a map: what fits a page with all that is beside it

static long bpf(int command, union bpf_attr* attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static int die(const char* what, unsigned number) {
  fprintf(stderr, "many: %s %u: %s\n", what, number, strerror(errno));
  exit(1);
}

static int make_map(unsigned number) {
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = kEntries};
  snprintf(attr.map_name, sizeof attr.map_name, "map_%u", number);
  return bpf(BPF_MAP_CREATE, &attr);
}

static int make_program(unsigned number) {
  const struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = (int)number},
                                  {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2, .insns = (unsigned long)code};
  attr.license = (unsigned long)"GPL";
  snprintf(attr.prog_name, sizeof attr.prog_name, "prog_%u", number);
  return bpf(BPF_PROG_LOAD, &attr);
}

static long element(int command, int map, unsigned key, unsigned long* value) {
  union bpf_attr attr = {.map_fd = map, .key = (unsigned long)&key, .value = (unsigned long)value};
  return bpf(command, &attr);
}

int main(int argc, char** argv) {
  if (argc < 3) return fprintf(stderr, "usage: many MAPS PROGRAMS [COMMAND...]\n"), 2;
  const unsigned count = strtoul(argv[1], 0, 10), programs = strtoul(argv[2], 0, 10);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int* const maps = calloc(count + 1, sizeof *maps);
  for (unsigned i = 0; i < count; ++i)
    if ((maps[i] = make_map(i)) < 0) die("map", i);
  for (unsigned i = 0; i < programs; ++i)
    if (make_program(i) < 0) die("program", i);
  for (unsigned long i = 0; i < count; ++i)
    if (element(BPF_MAP_UPDATE_ELEM, maps[i], i % kEntries, &i) != 0) die("update of map", i);
  for (unsigned long i = 0, found = 0; i < count; ++i)
    if (element(BPF_MAP_LOOKUP_ELEM, maps[i], i % kEntries, &found) != 0 || found != i) die("lookup in map", i);
  if (argc == 3) return 0;
  const pid_t child = fork();
  if (child == 0) {
    execvp(argv[3], argv + 3);
    die(argv[3], 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
