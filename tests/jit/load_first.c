// Preloaded into bpftool beside libskep-preload.so: loads the object SKEP_TEST_OBJECT before bpftool's main(), so that the
// hive of that process has programs to show. They are gone with the process, as bpftool's own would be without a pin.
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void load_first(void) {
  const char* path = getenv("SKEP_TEST_OBJECT");
  struct bpf_object* object = path ? bpf_object__open_file(path, NULL) : NULL;
  if (path && (!object || bpf_object__load(object) != 0)) {
    fprintf(stderr, "load_first: %s cannot be loaded\n", path);
    exit(77);
  }
}
