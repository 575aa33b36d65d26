// bpf(2) by the system call instruction itself, as programs without a libc of ours make it: no library is asked. Prints
// what came of each call. With an argument a child does the same later, when its parent has ended.
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int command, union bpf_attr* attr) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"((long)SYS_bpf), "D"((long)command), "S"(attr), "d"(sizeof *attr)
                   : "rcx", "r11", "memory");
  return result;
}

static long element(int command, int map, const void* key, void* value) {
  union bpf_attr attr = {.map_fd = map, .key = (unsigned long)key, .value = (unsigned long)value};
  return bpf(command, &attr);
}

static void say(const char* what, long result) {
  printf("%s: %ld\n", what, result);
  fflush(stdout);
}

static void use_bpf(void) {
  int key = 7, next = 0;
  unsigned long value = 42, found = 0;
  union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 16};
  attr.map_flags = BPF_F_MMAPABLE;
  const int array = bpf(BPF_MAP_CREATE, &attr);
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.map_flags = 0;
  strcpy(attr.map_name, "raw");
  const int map = bpf(BPF_MAP_CREATE, &attr);
  say("created", map >= 0 && array >= 0);
  say("update", element(BPF_MAP_UPDATE_ELEM, map, &key, &value));
  say("lookup", element(BPF_MAP_LOOKUP_ELEM, map, &key, &found));
  say("found", found);
  attr = (union bpf_attr){.map_fd = map, .next_key = (unsigned long)&next};
  say("first key", bpf(BPF_MAP_GET_NEXT_KEY, &attr));
  say("is", next);
  say("bad address", element(BPF_MAP_LOOKUP_ELEM, map, (void*)1, &found));
  say("delete", element(BPF_MAP_DELETE_ELEM, map, &key, 0));
  say("again", element(BPF_MAP_DELETE_ELEM, map, &key, 0));
  say("no map", element(BPF_MAP_LOOKUP_ELEM, 0, &key, &found));
  unsigned long* const mapped = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, array, 0);
  say("mapped", mapped != MAP_FAILED);
  mapped[7] = 99;
  element(BPF_MAP_LOOKUP_ELEM, array, &key, &found);
  say("written there", found);
  struct bpf_map_info info = {};
  attr = (union bpf_attr){.info = {.bpf_fd = map, .info_len = sizeof info, .info = (unsigned long)&info}};
  say("info", bpf(BPF_OBJ_GET_INFO_BY_FD, &attr));
  say(info.name, info.max_entries);
  struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}, {.code = BPF_JMP | BPF_EXIT}};
  char log[4096] = "", packet[64] = "";
  attr = (union bpf_attr){.prog_type = BPF_PROG_TYPE_XDP, .insn_cnt = 2, .insns = (unsigned long)program};
  attr.license = (unsigned long)"GPL";
  attr.log_buf = (unsigned long)log, attr.log_size = sizeof log, attr.log_level = 1;
  const int loaded = bpf(BPF_PROG_LOAD, &attr);
  say("loaded", loaded >= 0);
  say("log", strncmp(log, "processed 2 insns", 17));
  attr = (union bpf_attr){.test = {.prog_fd = loaded, .data_in = (unsigned long)packet, .data_size_in = sizeof packet}};
  say("run", bpf(BPF_PROG_TEST_RUN, &attr));
  say("gave", attr.test.retval);
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1 && fork() != 0) return 7;
  if (argc > 1) usleep(300000);
  use_bpf();
  return 5;
}
