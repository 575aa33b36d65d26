//go:build !cgo

package main

import (
	"syscall"
	"unsafe"
)

const numberOfBpf = 321 // x86-64

func bpf(command int, attr *attribute) (int, error) {
	result, _, errno := syscall.Syscall(numberOfBpf, uintptr(command), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		return -1, errno
	}
	return int(result), nil
}
