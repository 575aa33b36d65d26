#include <bpf/bpf_core_read.h>
#include "common.h"

// A field that no kernel has.
struct task_struct {
  int field_of_no_kernel;
} __attribute__((preserve_access_index));

SEC("tracepoint/syscalls/sys_enter_getpid")
int field(void* ctx) {
  struct task_struct* task = (void*)bpf_get_current_task();
  return BPF_CORE_READ(task, field_of_no_kernel);
}
LICENSE("GPL");
