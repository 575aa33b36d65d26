// storm SECONDS SEED [pin]: eight workers that make maps and programs on whatever answers bpf(2), run, pin and iterate them, and
// check that all is as they left it, while others who do the same are killed at random points. Prints how often; 1: a worker
// found something else than it expected, which it says.
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kWorkers = 8, kVictims = 4, kKeys = 16, kRuns = 3, kPacket = 64, kMostNap = 20000 };

static int pins;  // whether objects are pinned: files of /sys/fs/bpf are there where libskep-preload.so is

static long bpf(int command, union bpf_attr* attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static void expect(int holds, const char* what, unsigned who) {
  if (holds) return;
  fprintf(stderr, "storm: process %u: %s: %s\n", who, what, strerror(errno));
  _exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static int make_map(enum bpf_map_type type, unsigned entries, unsigned who) {
  union bpf_attr attr = {.map_type = type, .key_size = 4, .value_size = 8, .max_entries = entries};
  snprintf(attr.map_name, sizeof attr.map_name, "storm_%u", who);
  return bpf(BPF_MAP_CREATE, &attr);
}

static long element(int command, int map, unsigned* key, unsigned long* value) {
  union bpf_attr attr = {.map_fd = map, .key = (unsigned long)key, .value = (unsigned long)value};
  return bpf(command, &attr);
}

// A program that adds 1 to the first element of an array and returns what is there then.
static int load(int array) {
  const struct bpf_insn code[] = {
      {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = array},
      {0},
      {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4},
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
      {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 3},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = 1},
      {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 0, .src_reg = 1, .imm = BPF_ADD},
      {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 0},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = sizeof code / sizeof code[0]};
  attr.insns = (unsigned long)code;
  attr.license = (unsigned long)"GPL";
  return bpf(BPF_PROG_LOAD, &attr);
}

static unsigned run(int program, unsigned who) {
  char packet[kPacket] = "";
  union bpf_attr attr = {.test = {.prog_fd = program, .data_in = (unsigned long)packet, .data_size_in = kPacket}};
  expect(bpf(BPF_PROG_TEST_RUN, &attr) == 0, "run", who);
  return attr.test.retval;
}

static unsigned id_of(int map, unsigned who) {
  struct bpf_map_info info = {0};
  union bpf_attr attr = {.info = {.bpf_fd = map, .info_len = sizeof info, .info = (unsigned long)&info}};
  expect(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0, "info", who);
  return info.id;
}

static unsigned next_id(int command, unsigned id) {
  union bpf_attr attr = {.start_id = id};
  return bpf(command, &attr) == 0 ? attr.next_id : 0;
}

// All elements, each once, with the values that were written.
static void check_elements(int map, unsigned who, unsigned long salt) {
  unsigned key = 0, next = 0, seen = 0;
  union bpf_attr attr = {.map_fd = map, .next_key = (unsigned long)&next};
  while (bpf(BPF_MAP_GET_NEXT_KEY, &attr) == 0) {
    unsigned long value = 0;
    key = next;
    attr.key = (unsigned long)&key;
    expect(element(BPF_MAP_LOOKUP_ELEM, map, &key, &value) == 0, "lookup", who);
    expect(key < kKeys && value == salt + key, "an element", who);
    ++seen;
  }
  expect(errno == ENOENT && seen == kKeys, "number of elements", who);
}

static void check_ids(int map, unsigned who) {
  const unsigned id = id_of(map, who);
  expect(next_id(BPF_MAP_GET_NEXT_ID, id - 1) == id, "its own id", who);
  union bpf_attr attr = {.map_id = id};
  const int again = bpf(BPF_MAP_GET_FD_BY_ID, &attr);
  expect(again >= 0, "map by id", who);
  expect(id_of(again, who) == id, "the same map by id", who);
  close(again);
  unsigned count = 0;
  for (unsigned at = 0; (at = next_id(BPF_PROG_GET_NEXT_ID, at)) != 0;) ++count;
  expect(count > 0, "its own program among all", who);
}

static void check_pin(int map, unsigned who) {
  char path[64];
  snprintf(path, sizeof path, "/sys/fs/bpf/storm_%u", who);
  unlink(path);  // of one with this number that was killed
  union bpf_attr attr = {.pathname = (unsigned long)path, .bpf_fd = map};
  expect(bpf(BPF_OBJ_PIN, &attr) == 0, "pin", who);
  attr = (union bpf_attr){.pathname = (unsigned long)path};
  const int again = bpf(BPF_OBJ_GET, &attr);
  expect(again >= 0, "get of a pin", who);
  expect(id_of(again, who) == id_of(map, who), "what is pinned", who);
  close(again);
  expect(unlink(path) == 0, "unlink of a pin", who);
}

static void work(unsigned who, unsigned round) {
  const unsigned long salt = (unsigned long)who << 32 | round << 8;
  const int map = make_map(BPF_MAP_TYPE_HASH, 64, who), array = make_map(BPF_MAP_TYPE_ARRAY, 1, who);
  expect(map >= 0 && array >= 0, "maps", who);
  for (unsigned key = 0; key < kKeys; ++key) {
    unsigned long value = salt + key;
    expect(element(BPF_MAP_UPDATE_ELEM, map, &key, &value) == 0, "update", who);
  }
  const int program = load(array);
  expect(program >= 0, "load", who);
  for (unsigned i = 1; i <= kRuns; ++i) expect(run(program, who) == i, "what a run returns", who);
  unsigned key = 0;
  unsigned long value = 0;
  expect(element(BPF_MAP_LOOKUP_ELEM, array, &key, &value) == 0 && value == kRuns, "what runs left", who);
  check_elements(map, who, salt);
  check_ids(map, who);
  if (pins) check_pin(map, who);
  for (key = 0; key < kKeys; ++key) expect(element(BPF_MAP_DELETE_ELEM, map, &key, 0) == 0, "delete", who);
  close(program);
  close(array);
  close(map);
}

static pid_t begin_victim(unsigned number) {
  const pid_t victim = fork();
  for (unsigned round = 0; victim == 0; ++round) work(kWorkers + number, round);
  return victim;
}

int main(int argc, char** argv) {
  if (argc < 3) return fprintf(stderr, "usage: storm SECONDS SEED [pin]\n"), 2;
  const double end = now() + atof(argv[1]);
  srandom(strtoul(argv[2], 0, 10));
  pins = argc > 3;
  unsigned long* const rounds = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t workers[kWorkers], victims[kVictims];
  for (unsigned i = 0; i < kWorkers; ++i) {
    workers[i] = fork();
    if (workers[i] != 0) continue;
    for (; now() < end; ++rounds[i]) work(i, rounds[i]);
    _exit(0);
  }
  for (unsigned i = 0; i < kVictims; ++i) victims[i] = begin_victim(i);
  unsigned long kills = 0, ended = 0;
  for (; now() < end; ++kills) {
    usleep(random() % kMostNap);
    const unsigned i = random() % kVictims;
    int status = 0;
    kill(victims[i], SIGKILL);
    waitpid(victims[i], &status, 0);
    ended += WIFEXITED(status) != 0;  // by itself: it found something wrong
    victims[i] = begin_victim(i);
  }
  for (unsigned i = 0; i < kVictims; ++i) kill(victims[i], SIGKILL);
  unsigned long all = 0, failed = 0;
  for (unsigned i = 0; i < kWorkers; ++i) {
    int status = 0;
    waitpid(workers[i], &status, 0);
    failed += status != 0;
    expect(rounds[i] != 0, "rounds of a worker", i);
    all += rounds[i];
  }
  for (unsigned i = 0; i < kVictims; ++i) waitpid(victims[i], 0, 0);
  printf("%lu rounds of work, %lu killed, %lu workers failed, %lu of the killed had\n", all, kills, failed, ended);
  return failed != 0 || ended != 0;
}
