// Programs of type ext: extend TARGET.bpf.o EXTENSION.bpf.o [pins]. Prints what the target returns and what bpf(2) says, with
// extensions that come, go and come elsewhere, and while another thread runs it.
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int quiet(enum libbpf_print_level level, const char* format, va_list arguments) {
  (void)level, (void)format, (void)arguments;
  return 0;
}

static int run(int program) {
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet, .repeat = 1);
  const int error = bpf_prog_test_run_opts(program, &options);
  return error != 0 ? error : (int)options.retval;
}

static const char* path_of_extension;

// The extensions, for a function of `program`; null when they are not loaded.
static struct bpf_object* extensions(int program, const char* function) {
  struct bpf_object* object = bpf_object__open(path_of_extension);
  struct bpf_program* one;
  if (object == NULL) return NULL;
  bpf_object__for_each_program(one, object) bpf_program__set_attach_target(one, program, function);
  if (bpf_object__load(object) == 0) return object;
  bpf_object__close(object);
  return NULL;
}

static int program_of(struct bpf_object* object, const char* name) {
  return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

static int link_to(int extension, int target, unsigned function) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .target_btf_id = function);
  return bpf_link_create(extension, target, 0, &options);
}

static const char* made(int fd) { return fd >= 0 ? "made" : strerror(-fd); }

// A link's last close is seen soon.
static void drop(int link, int target, int wanted) {
  close(link);
  for (int i = 0; i < 1000 && run(target) != wanted; ++i) usleep(1000);
}

static void show(int link) {
  struct bpf_link_info info = {0};
  unsigned size = sizeof info;
  char path[64], line[128];
  bpf_obj_get_info_by_fd(link, &info, &size);
  printf("info: type %u, attach type %u, %s target, function %s\n", info.type, info.tracing.attach_type,
         info.tracing.target_obj_id != 0 ? "a" : "no", info.tracing.target_btf_id != 0 ? "known" : "unknown");
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", link);
  FILE* file = fopen(path, "r");
  while (fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "link_type", 9) == 0 || strncmp(line, "attach_type", 11) == 0) printf("%s", line);
  fclose(file);
}

static void pin(int link) {
  char path[64];
  snprintf(path, sizeof path, "/sys/fs/bpf/extended-%d", (int)getpid());
  const char* pinned = strerror(bpf_obj_pin(link, path) != 0 ? errno : 0);
  const char* opened = open(path, O_RDONLY) < 0 ? strerror(errno) : "opened";
  printf("pinned: %s; as a file: %s\n", pinned, opened);
  unlink(path);
}

static void in_arrays(int target, int extension, unsigned function) {
  const int array = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "programs", 4, 4, 1, NULL);
  const unsigned key = 0;
  const int link = link_to(extension, target, function);
  printf("extended, into an array: %s\n", strerror(bpf_map_update_elem(array, &key, &target, 0) ? errno : 0));
  printf("an extension, into an array: %s\n", strerror(bpf_map_update_elem(array, &key, &extension, 0) ? errno : 0));
  drop(link, target, 83);
  printf("no longer: %s\n", strerror(bpf_map_update_elem(array, &key, &target, 0) ? errno : 0));
  printf("in an array, extended: %s\n", made(link_to(extension, target, function)));
  bpf_map_delete_elem(array, &key);
  const int again = link_to(extension, target, function);
  printf("no longer: %s\n", made(again));
  drop(again, target, 83);
  close(array);
}

static atomic_bool done;

static void* keep_running(void* target) {
  long strange = 0;
  while (!atomic_load(&done)) {
    const int result = run(*(int*)target);
    strange += result != 83 && result != 183;
  }
  return (void*)strange;
}

static void meanwhile(int target, int extension, unsigned function) {
  pthread_t thread;
  void* strange = NULL;
  int failed = 0;
  pthread_create(&thread, NULL, keep_running, &target);
  for (int i = 0; i < 200; ++i) {
    const int link = link_to(extension, target, function);
    failed += link < 0 || run(target) != 183;
    close(link);
    drop(-1, target, 83);
  }
  atomic_store(&done, 1);
  pthread_join(thread, &strange);
  printf("200 times while it runs: %d failed, %ld strange results\n", failed, (long)strange);
}

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) return 2;
  libbpf_set_print(quiet);
  path_of_extension = argv[2];
  struct bpf_object* object = bpf_object__open(argv[1]);
  if (object == NULL || bpf_object__load(object) != 0) return 1;
  const int target = program_of(object, "target");
  const struct btf* types = bpf_object__btf(object);
  const int first = btf__find_by_name_kind(types, "first", BTF_KIND_FUNC);
  const int second = btf__find_by_name_kind(types, "second", BTF_KIND_FUNC);
  const int other = btf__find_by_name_kind(types, "other_kind", BTF_KIND_FUNC);
  printf("as it is: %d\n", run(target));

  struct bpf_object* loaded = extensions(target, "first");
  if (loaded == NULL) return 1;
  const int hundred = program_of(loaded, "by_hundred"), two_hundred = program_of(loaded, "by_two_hundred");
  printf("an extension by itself: %s\n", strerror(-run(hundred)));
  const int link = bpf_link_create(hundred, 0, 0, NULL);
  printf("extended: %s, %d\n", made(link), run(target));
  show(link);
  if (argc == 4) pin(link);
  printf("by another one, too: %s\n", made(bpf_link_create(two_hundred, 0, 0, NULL)));
  printf("the same once more: %s\n", made(bpf_link_create(hundred, 0, 0, NULL)));
  printf("a target without a function: %s\n", made(link_to(two_hundred, target, 0)));
  printf("another program for it: %s\n", strerror(-bpf_link_update(link, two_hundred, NULL)));
  printf("detached: %s\n", strerror(-bpf_link_detach(link)));
  const int elsewhere = link_to(two_hundred, target, second);
  printf("another function, too: %s, %d\n", made(elsewhere), run(target));
  drop(elsewhere, target, 183);
  printf("without that: %d\n", run(target));
  drop(link, target, 83);
  printf("without any: %d\n", run(target));

  printf("without a target again: %s\n", made(bpf_link_create(hundred, 0, 0, NULL)));
  printf("a function with other arguments: %s\n", made(link_to(hundred, target, other)));
  printf("no function: %s\n", made(link_to(hundred, target, 100000)));
  printf("by name: %s\n", strerror(-bpf_raw_tracepoint_open("first", hundred)));
  printf("by nothing: %s\n", made(bpf_raw_tracepoint_open(NULL, hundred)));
  in_arrays(target, hundred, first);
  meanwhile(target, hundred, first);

  struct bpf_object* fresh = extensions(target, "first");
  const int opened = bpf_raw_tracepoint_open(NULL, program_of(fresh, "by_two_hundred"));
  printf("as a raw tracepoint: %s, %d\n", made(opened), run(target));
  bpf_object__close(fresh);
  printf("its program closed: %d\n", run(target));
  drop(opened, target, 83);
  printf("and the link: %d\n", run(target));
  printf("an extension of an extension: %s\n", extensions(hundred, "by_hundred") ? "loaded" : "refused");
  printf("of a function that is not there: %s\n", extensions(target, "third") ? "loaded" : "refused");
  printf("of one with other arguments: %s\n", extensions(target, "other_kind") ? "loaded" : "refused");
  return 0;
}
