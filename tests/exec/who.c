// who: what a program is told of its user, and what it may do: make a map, read a file of root's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
  uid_t user[3];
  gid_t group[3];
  if (getresuid(&user[0], &user[1], &user[2]) != 0 || getresgid(&group[0], &group[1], &group[2]) != 0) return 1;
  printf("uid %u %u, gid %u %u\n", getuid(), geteuid(), getgid(), getegid());
  printf("resuid %u %u %u, resgid %u %u %u\n", user[0], user[1], user[2], group[0], group[1], group[2]);
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = getpid()};
  struct __user_cap_data_struct words[2] = {0};
  if (syscall(SYS_capget, &header, words) != 0) return 1;
  printf("may kill: %d\n", (words[0].effective >> CAP_KILL & 1) != 0);
  printf("ids at a bad address: %ld\n", syscall(SYS_getresuid, 1, 1, 1) < 0 ? -(long)errno : 0L);
  union bpf_attr map = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};
  printf("map: %d\n", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0);
  const int shadow = open("/etc/shadow", O_RDONLY);
  printf("shadow: %d\n", shadow < 0 ? errno : 0);
  return 0;
}
