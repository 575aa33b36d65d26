// waits OBJECT PART...: a libbpf program that waits for the records of ring buffers and perf buffers in each way there
// is, while another thread makes programs send them. What it prints is the same on a hive and on the kernel.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static struct bpf_object* object;

static void die(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(1);
}

static int map_of(const char* name) { return bpf_object__find_map_fd_by_name(object, name); }

static void run_often(const char* program, int times) {
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof packet, .repeat = times);
  if (bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, program)), &opts) != 0)
    die("run");
}

static void run(const char* program) { run_often(program, 1); }

static void* run_later(void* program) {
  usleep(60000);
  run(program);
  return NULL;
}

static volatile int interrupted = 0;

// Until it is seen: the first may come before anybody waits.
static void* interrupt_later(void* thread) {
  while (!interrupted) {
    usleep(60000);
    pthread_kill(*(pthread_t*)thread, SIGUSR1);
  }
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

// A hive's supervisor that changes its process interrupts who waits.
static int wait_by(unsigned way, int fd, short events, int time) {
  int said = 0;
  do said = ways[way].wait(fd, events, time);
  while (said < 0 && errno == EINTR);
  return said;
}

// ---- The parts

static void on_signal(int number) { (void)number; }

static void* poll_for_ever(void* fd) {
  struct pollfd asked = {.fd = *(int*)fd, .events = POLLIN};
  poll(&asked, 1, -1);
  return NULL;
}

static void cancel(const char* what, int fd) {
  pthread_t waiting = later(poll_for_ever, &fd);
  usleep(30000);
  pthread_cancel(waiting);
  void* end = NULL;
  pthread_join(waiting, &end);
  printf("%s cancelled: %d\n", what, end == PTHREAD_CANCELED);
}

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
    if (ways[i].wait != by_epoll) printf("  nothing: %d\n", wait_by(i, fd, POLLIN, 20));
    sender = later(run_later, "send");
    printf("  waited: %d\n", wait_by(i, fd, POLLIN, -1));
    pthread_join(sender, NULL);
    printf("  again: %d\n", wait_by(i, fd, POLLIN, 20));
    printf("  consumed: %d\n", ring_buffer__consume(ring));
  }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t self = pthread_self();
  sender = later(interrupt_later, &self);
  const int said = by_poll(fd, POLLIN, -1), why = errno;
  interrupted = 1;
  printf("interrupted: %d %s\n", said, strerror(why));
  pthread_join(sender, NULL);
  int ends[2];
  if (pipe(ends) != 0) die("pipe");
  cancel("ring", fd);
  cancel("pipe", ends[0]);
  struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}, {.fd = 999}};
  const int ready = poll(both, 3, -1);
  printf("beside others: %d, %x %x %x\n", ready, both[0].revents, both[1].revents, both[2].revents);
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
    printf("  %s: %d\n", ways[i].name, wait_by(i, fd, POLLOUT, 20));
  pthread_t receiver = later(run_later, "receive");
  __u64* order = user_ring_buffer__reserve_blocking(ring, 8, -1);
  printf("  waited for room: %d\n", order != NULL);
  pthread_join(receiver, NULL);
  user_ring_buffer__discard(ring, order);
  for (unsigned i = 0; i + 1 < sizeof ways / sizeof *ways; ++i)
    printf("  %s: %d\n", ways[i].name, wait_by(i, fd, POLLOUT, 20));
  user_ring_buffer__free(ring);
}

static void samples(void) {
  struct perf_buffer* buffer = perf_buffer__new(map_of("samples"), 8, on_sample, on_lost, NULL, NULL);
  if (buffer == NULL) die("perf_buffer__new");
  printf("perf_buffer__poll: %d\n", perf_buffer__poll(buffer, 20));
  pthread_t sender = later(run_later, "sample");
  printf("perf_buffer__poll: %d\n", perf_buffer__poll(buffer, -1));
  pthread_join(sender, NULL);
  for (int i = 0; i < 3; ++i) {
    run("sample");
    printf("perf_buffer__consume: %d\n", perf_buffer__consume(buffer));
  }
  perf_buffer__free(buffer);
}

// ---- One event, its ring and what it is told

static struct {
  unsigned samples;
  unsigned long long lost;
} seen;

static enum bpf_perf_event_ret count(void* context, int cpu, struct perf_event_header* event) {
  (void)context, (void)cpu;
  if (event->type == PERF_RECORD_SAMPLE) ++seen.samples;
  if (event->type == PERF_RECORD_LOST) seen.lost += ((unsigned long long*)(event + 1))[1];
  return LIBBPF_PERF_EVENT_CONT;
}

static void say_seen(struct perf_buffer* buffer) {
  perf_buffer__consume(buffer);
  printf("  %u samples, %llu lost\n", seen.samples, seen.lost);
  memset(&seen, 0, sizeof seen);
}

static void say_event(const char* what, int event, unsigned long request, unsigned long argument) {
  const int said = ioctl(event, request, argument);
  printf("  %s: %d\n", what, said < 0 ? -errno : said);
}

static void say_open(const char* what, struct perf_event_attr* attr, int process, int cpu, unsigned long flags) {
  const long event = syscall(SYS_perf_event_open, attr, process, cpu, -1, flags);
  printf("  %s: %ld\n", what, event < 0 ? -errno : 0L);
  if (event >= 0) close((int)event);
}

static void one_event(void) {
  cpu_set_t first;
  int cpu = 0;
  if (sched_getaffinity(0, sizeof first, &first) != 0) die("sched_getaffinity");
  while (!CPU_ISSET(cpu, &first)) ++cpu;
  CPU_ZERO(&first);
  CPU_SET(cpu, &first);
  if (sched_setaffinity(0, sizeof first, &first) != 0) die("sched_setaffinity");
  struct perf_event_attr attr = {.size = sizeof attr,
                                 .type = PERF_TYPE_SOFTWARE,
                                 .config = PERF_COUNT_SW_BPF_OUTPUT,
                                 .sample_type = PERF_SAMPLE_RAW,
                                 .sample_period = 1,
                                 .wakeup_events = 2};
  int zero = 0;
  LIBBPF_OPTS(perf_buffer_raw_opts, opts, .cpu_cnt = 1, .cpus = &cpu, .map_keys = &zero);
  struct perf_buffer* buffer = perf_buffer__new_raw(map_of("samples"), 8, &attr, count, NULL, &opts);
  if (buffer == NULL) die("perf_buffer__new_raw");
  const int event = perf_buffer__buffer_fd(buffer, 0);
  for (unsigned i = 0; i < sizeof ways / sizeof *ways; ++i) {
    printf("event by %s\n", ways[i].name);
    run("sample_first");
    printf("  half-way: %d\n", wait_by(i, event, POLLIN, 20));
    pthread_t sender = later(run_later, "sample_first");
    printf("  waited: %d\n", wait_by(i, event, POLLIN, -1));
    pthread_join(sender, NULL);
    if (ways[i].wait != by_epoll) printf("  again: %d\n", wait_by(i, event, POLLIN, 20));
    say_seen(buffer);
  }
  run_often("sample_first", 2000);
  say_seen(buffer);
  run("sample_first");
  say_seen(buffer);
  say_event("disabled", event, PERF_EVENT_IOC_DISABLE, 0);
  run("sample_first");
  say_event("enabled", event, PERF_EVENT_IOC_ENABLE, 0);
  run("sample_first");
  say_seen(buffer);
  say_event("paused", event, PERF_EVENT_IOC_PAUSE_OUTPUT, 1);
  run("sample_first");
  say_event("goes on", event, PERF_EVENT_IOC_PAUSE_OUTPUT, 0);
  run("sample_first");
  say_seen(buffer);
  unsigned long long id = 0;
  say_event("id", event, PERF_EVENT_IOC_ID, (unsigned long)&id);
  say_event("id at a bad address", event, PERF_EVENT_IOC_ID, 1);
  say_event("programs", event, PERF_EVENT_IOC_QUERY_BPF, (unsigned long)&id);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const int other = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, 0);
  printf("  closes on exec: %d\n", fcntl(other, F_GETFD));
  const size_t sizes[] = {3 * page, 4 * page, page / 2 + page};
  for (unsigned i = 0; i < 3; ++i)
    printf("  %zu bytes: %d\n", sizes[i],
           mmap(NULL, sizes[i], PROT_READ | PROT_WRITE, MAP_SHARED, other, 0) == MAP_FAILED ? errno : 0);
  say_open("no CPU", &attr, -1, -1, 0);
  say_open("CPU 100000", &attr, -1, 100000, 0);
  say_open("flags", &attr, -1, cpu, 1UL << 20);
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
    if (strcmp(argv[i], "event") == 0) one_event();
  }
  bpf_object__close(object);
  return 0;
}
