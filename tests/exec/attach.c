// attach [kernel]: a hive's programs for the machine's sockets and events: what each attempt says; with an argument only
// what the kernel refuses as well. Where no event can be had, nothing is said of events.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(enum bpf_prog_type type) {
  const struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1}, {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr = {.prog_type = type, .insn_cnt = 2, .insns = (unsigned long)program};
  attr.license = (unsigned long)"GPL";
  attr.expected_attach_type = type == BPF_PROG_TYPE_SK_REUSEPORT ? BPF_SK_REUSEPORT_SELECT : 0;
  return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
}

static void say(const char* what, long result) { printf("%s: %ld\n", what, result < 0 ? -(long)errno : 0L); }

int main(int argc, char** argv) {
  (void)argv;
  const int filter = load(BPF_PROG_TYPE_SOCKET_FILTER), xdp = load(BPF_PROG_TYPE_XDP);
  const int reuse = load(BPF_PROG_TYPE_SK_REUSEPORT), probe = load(BPF_PROG_TYPE_KPROBE);
  printf("loaded: %d\n", filter >= 0 && xdp >= 0 && reuse >= 0 && probe >= 0);
  const int udp = socket(AF_INET, SOCK_DGRAM, 0), none = 999, file = 0, on = 1;
  setsockopt(udp, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  say("xdp at a socket", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &xdp, sizeof xdp));
  say("nothing at a socket", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &none, sizeof none));
  say("a file at a socket", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &file, sizeof file));
  say("a filter at no socket", setsockopt(file, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter));
  say("a filter at nothing", setsockopt(none, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter));
  say("half a filter", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &filter, 2));
  say("a filter at a bad address", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, (void*)1, sizeof filter));
  say("xdp for ports", setsockopt(udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &xdp, sizeof xdp));
  say("another option", setsockopt(udp, SOL_SOCKET, SO_BROADCAST, &on, sizeof on));
  struct perf_event_attr attr = {.size = sizeof attr, .type = PERF_TYPE_SOFTWARE, .exclude_kernel = 1};
  attr.config = PERF_COUNT_SW_TASK_CLOCK;
  const int event = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
  if (event >= 0) {
    say("xdp at an event", ioctl(event, PERF_EVENT_IOC_SET_BPF, xdp));
    say("nothing at an event", ioctl(event, PERF_EVENT_IOC_SET_BPF, none));
    say("an event counts", ioctl(event, PERF_EVENT_IOC_RESET, 0));
  }
  if (argc > 1) return 0;
  say("a filter at a socket", setsockopt(udp, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof filter));
  say("a filter for ports", setsockopt(udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &filter, sizeof filter));
  say("a program for ports", setsockopt(udp, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &reuse, sizeof reuse));
  int query[2] = {0};
  if (event >= 0) say("a probe at an event", ioctl(event, PERF_EVENT_IOC_SET_BPF, probe));
  if (event >= 0) say("programs of an event", ioctl(event, PERF_EVENT_IOC_QUERY_BPF, query));
  return 0;
}
