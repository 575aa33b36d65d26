//go:build cgo

package main

// #include <sys/syscall.h>
// #include <unistd.h>
// static long call_bpf(int command, void* attr, unsigned size) { return syscall(SYS_bpf, command, attr, size); }
import "C"

import "unsafe"

func bpf(command int, attr *attribute) (int, error) {
	result, err := C.call_bpf(C.int(command), unsafe.Pointer(attr), C.uint(unsafe.Sizeof(*attr)))
	if result < 0 {
		return -1, err
	}
	return int(result), nil
}
