// waits OBJECT PART...: a libbpf program that waits for the records of ring buffers and perf buffers in each way there
// is, while another thread makes programs send them. What it prints is the same on a hive and on the kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static struct bpf_object* object;

static void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static int map_of(const char* name) { return bpf_object__find_map_fd_by_name(object, name); }

static void run(const char* program) {
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof packet);
  if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, program)), &opts) != 0)
    die("run");
}

static void* run_later(void* program) {
  usleep(60000);
  run(program);
  return NULL;
}

static void* interrupt_later(void* thread) {
  usleep(60000);
  pthread_kill(*(pthread_t*)thread, SIGUSR1);
  return NULL;
}

static pthread_t later(void* (*what)(void*), void* argument) {
  pthread_t thread;
  pthread_create(&thread, NULL, what, argument);
  return thread;
}

static int on_record(void* context, void* data, size_t size) {
  (void)context;
  printf("  record %llu of %zu bytes\n", *(unsigned long long*)data, size);
  return 0;
}

static void on_sample(void* context, int cpu, void* data, __u32 size) {
  (void)context;
  printf("  sample %llu, %u bytes%s\n", *(unsigned long long*)data, size, cpu < 0 ? ", of no CPU" : "");
}

static void on_lost(void* context, int cpu, __u64 count) {
  (void)context, (void)cpu;
  printf("  lost%s\n", count == 0 ? " none" : "");
}

// ---- The ways: each waits so many milliseconds (-1: for ever) until `fd` is readable, or writable

static int by_poll(int fd, short events, int time) {
  struct pollfd asked[] = {{.fd = -1}, {.fd = fd, .events = events}};
  const int said = poll(asked, 2, time);
  if (said > 0) printf("  events %x\n", asked[1].revents);
  return said;
}

static int by_ppoll(int fd, short events, int time) {
  const struct timespec spec = {.tv_sec = time / 1000, .tv_nsec = time % 1000 * 1000000L};
  struct pollfd asked = {.fd = fd, .events = events};
  sigset_t none;
  sigemptyset(&none);
  return ppoll(&asked, 1, time < 0 ? NULL : &spec, &none);
}

static int by_select(int fd, short events, int time) {
  struct timeval value = {.tv_sec = time / 1000, .tv_usec = time % 1000 * 1000};
  fd_set set, other;
  FD_ZERO(&set);
  FD_ZERO(&other);
  FD_SET(fd, &set);
  const int said = select(fd + 1, events == POLLIN ? &set : &other, events == POLLIN ? &other : &set, NULL,
                          time < 0 ? NULL : &value);
  if (said >= 0) printf("  is in the set: %d\n", FD_ISSET(fd, &set) != 0);
  return said;
}

static int by_pselect(int fd, short events, int time) {
  const struct timespec spec = {.tv_sec = time / 1000, .tv_nsec = time % 1000 * 1000000L};
  fd_set set, other;
  FD_ZERO(&set);
  FD_ZERO(&other);
  FD_SET(fd, &set);
  return pselect(fd + 1, events == POLLIN ? &set : &other, events == POLLIN ? &other : &set, NULL,
                 time < 0 ? NULL : &spec, NULL);
}

static int by_epoll(int fd, short events, int time) {
  const int set = epoll_create1(0);
  struct epoll_event event = {.events = (unsigned)events, .data.u64 = 77};
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 || errno != EEXIST) die("epoll_ctl twice");
  event.data.u64 = 78;
  if (epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) != 0) die("epoll_ctl mod");
  const int said = epoll_wait(set, &event, 1, time);
  if (said > 0) printf("  data %llu\n", (unsigned long long)event.data.u64);
  if (epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) != 0) die("epoll_ctl del");
  close(set);
  return said;
}

static const struct {
  const char* name;
  int (*wait)(int fd, short events, int time);
} ways[] = {
    {"poll", by_poll}, {"ppoll", by_ppoll}, {"select", by_select}, {"pselect", by_pselect}, {"epoll", by_epoll}};

// ---- The parts

static void on_signal(int number) { (void)number; }

static void rings(void) {
  const int fd = map_of("records");
  struct ring_buffer* ring = ring_buffer__new(fd, on_record, NULL, NULL);
  if (ring == NULL) die("ring_buffer__new");
  printf("ring_buffer__poll: %d\n", ring_buffer__poll(ring, 20));
  pthread_t sender = later(run_later, "send");
  printf("ring_buffer__poll: %d\n", ring_buffer__poll(ring, -1));
  pthread_join(sender, NULL);
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; ++i) {
    printf("%s\n", ways[i].name);
    if (ways[i].wait != by_epoll) printf("  nothing: %d\n", ways[i].wait(fd, POLLIN, 20));
    sender = later(run_later, "send");
    printf("  waited: %d\n", ways[i].wait(fd, POLLIN, -1));
    pthread_join(sender, NULL);
    printf("  again: %d\n", ways[i].wait(fd, POLLIN, 20));
    printf("  consumed: %d\n", ring_buffer__consume(ring));
  }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t self = pthread_self();
  sender = later(interrupt_later, &self);
  const int said = by_poll(fd, POLLIN, -1);
  printf("interrupted: %d %s\n", said, strerror(errno));
  pthread_join(sender, NULL);
  ring_buffer__free(ring);
}

static void user_rings(void) {
  const int fd = map_of("orders");
  struct user_ring_buffer* ring = user_ring_buffer__new(fd, NULL);
  if (ring == NULL) die("user_ring_buffer__new");
  unsigned count = 0;
  for (__u64* order; (order = user_ring_buffer__reserve(ring, 8)) != NULL; ++count) {
    *order = 1;
    user_ring_buffer__submit(ring, order);
  }
  printf("user ring: %u orders fit\n", count);
  for (unsigned i = 0; i + 1 < sizeof ways / sizeof *ways; ++i)
    printf("  %s: %d\n", ways[i].name, ways[i].wait(fd, POLLOUT, 20));
  pthread_t receiver = later(run_later, "receive");
  __u64* order = user_ring_buffer__reserve_blocking(ring, 8, -1);
  printf("  waited for room: %d\n", order != NULL);
  pthread_join(receiver, NULL);
  user_ring_buffer__discard(ring, order);
  for (unsigned i = 0; i + 1 < sizeof ways / sizeof *ways; ++i)
    printf("  %s: %d\n", ways[i].name, ways[i].wait(fd, POLLOUT, 20));
  user_ring_buffer__free(ring);
}

static void samples(void) {
  struct perf_buffer* buffer = perf_buffer__new(map_of("samples"), 8, on_sample, on_lost, NULL, NULL);
  if (buffer == NULL) die("perf_buffer__new");
  printf("perf_buffer__poll: %d\n", perf_buffer__poll(buffer, 20));
  pthread_t sender = later(run_later, "sample");
  printf("perf_buffer__poll: %d\n", perf_buffer__poll(buffer, -1));
  pthread_join(sender, NULL);
  for (int i = 0; i < 3; ++i) run("sample");
  printf("perf_buffer__consume: %d\n", perf_buffer__consume(buffer));
  perf_buffer__free(buffer);
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
  object = bpf_object__open_file(argv[1], NULL);
  if (object == NULL || bpf_object__load(object) != 0) die("load");
  for (int i = 2; i < argc; ++i) {
    if (strcmp(argv[i], "rings") == 0) rings();
    if (strcmp(argv[i], "user_rings") == 0) user_rings();
    if (strcmp(argv[i], "samples") == 0) samples();
  }
  bpf_object__close(object);
  return 0;
}
