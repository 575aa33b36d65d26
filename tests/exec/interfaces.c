// interfaces: a hive's programs for the machine's interfaces, by libbpf's netlink messages. Nothing here changes an
// interface: what could be attached is none of the kernel's.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int load(enum bpf_prog_type type) {
  const struct bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}, {.code = BPF_JMP | BPF_EXIT}};
  return bpf_prog_load(type, "none", "GPL", program, 2, NULL);
}

static int quiet(enum libbpf_print_level level, const char* format, va_list list) {
  (void)level, (void)format, (void)list;
  return 0;
}

int main(void) {
  libbpf_set_print(quiet);
  const int xdp = load(BPF_PROG_TYPE_XDP), filter = load(BPF_PROG_TYPE_SCHED_CLS);
  printf("loaded: %d\n", xdp >= 0 && filter >= 0);
  printf("xdp: %d\n", bpf_xdp_attach(1, xdp, XDP_FLAGS_SKB_MODE, NULL));
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = 1, .attach_point = BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = filter);
  printf("tc: %d\n", bpf_tc_attach(&hook, &opts));
  const int refused = bpf_xdp_attach(1, 999, XDP_FLAGS_SKB_MODE, NULL);
  printf("no program is the kernel's to refuse: %d\n", refused < 0 && refused != -95);
  int ends[2];
  char text[32] = "";
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
  struct iovec part = {.iov_base = "sent", .iov_len = 4};
  const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  printf("sent: %zd %zd %zd\n", send(ends[0], "sent", 4, 0), sendto(ends[0], "sent", 4, 0, NULL, 0),
         sendmsg(ends[0], &message, 0));
  printf("received: %zd\n", read(ends[1], text, sizeof text));
  printf("%s\n", text);
  printf("bad address: %zd\n", send(ends[0], (void*)1, 4, 0));
  return 0;
}
