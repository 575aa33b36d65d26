// A small Go program on bpf(2): a map, its elements by update, lookup and iteration, a program, its run. Prints what came of each
// call. How the call is made is one of the other files: the instruction itself, or libc's function.
package main

import (
	"fmt"
	"runtime"
	"sort"
	"unsafe"
)

const (
	mapCreate, mapLookup, mapUpdate, mapDelete, mapNext = 0, 1, 2, 3, 4
	progLoad, progTestRun                               = 5, 10
	hash, socketFilter                                  = 1, 1
)

type attribute [128]byte

func (attr *attribute) word(at int, value uint32)     { *(*uint32)(unsafe.Pointer(&attr[at])) = value }
func (attr *attribute) long(at int, value uint64)     { *(*uint64)(unsafe.Pointer(&attr[at])) = value }
func (attr *attribute) address(at int, value uintptr) { attr.long(at, uint64(value)) }

type instruction struct {
	code, registers uint8
	offset          int16
	immediate       int32
}

func element(command int, fd int, key *uint32, value *uint64) error {
	var attr attribute
	attr.word(0, uint32(fd))
	attr.address(8, uintptr(unsafe.Pointer(key)))
	attr.address(16, uintptr(unsafe.Pointer(value)))
	_, err := bpf(command, &attr)
	runtime.KeepAlive(key)
	runtime.KeepAlive(value)
	return err
}

func keys(fd int) []int {
	var found []int
	var key, next uint32
	var attr attribute
	attr.word(0, uint32(fd))
	attr.address(16, uintptr(unsafe.Pointer(&next)))
	for {
		if _, err := bpf(mapNext, &attr); err != nil {
			fmt.Println("after the last key:", err)
			sort.Ints(found)
			return found
		}
		found = append(found, int(next))
		key = next
		attr.address(8, uintptr(unsafe.Pointer(&key)))
	}
}

func load() (int, error) {
	code := []instruction{{0xb7, 0, 0, 42}, {0x95, 0, 0, 0}}
	license := []byte("GPL\x00")
	var attr attribute
	attr.word(0, socketFilter)
	attr.word(4, uint32(len(code)))
	attr.address(8, uintptr(unsafe.Pointer(&code[0])))
	attr.address(16, uintptr(unsafe.Pointer(&license[0])))
	fd, err := bpf(progLoad, &attr)
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	return fd, err
}

func run(program int) (uint32, error) {
	packet := make([]byte, 64)
	var attr attribute
	attr.word(0, uint32(program))
	attr.word(8, uint32(len(packet)))
	attr.address(16, uintptr(unsafe.Pointer(&packet[0])))
	_, err := bpf(progTestRun, &attr)
	runtime.KeepAlive(packet)
	return *(*uint32)(unsafe.Pointer(&attr[4])), err
}

func main() {
	var attr attribute
	attr.word(0, hash)
	attr.word(4, 4)
	attr.word(8, 8)
	attr.word(12, 16)
	copy(attr[28:], "from_go")
	fd, err := bpf(mapCreate, &attr)
	fmt.Println("map:", fd > 2, err)
	for key := uint32(1); key <= 5; key++ {
		value := uint64(key) * 11
		fmt.Println("update:", key, element(mapUpdate, fd, &key, &value))
	}
	key, value := uint32(4), uint64(0)
	fmt.Println("lookup:", element(mapLookup, fd, &key, &value), value)
	fmt.Println("delete:", element(mapDelete, fd, &key, nil))
	fmt.Println("lookup:", element(mapLookup, fd, &key, &value))
	fmt.Println("keys:", keys(fd))
	// From many threads at once, each its own key.
	done := make(chan error)
	for thread := uint32(0); thread < 8; thread++ {
		go func(key uint32) {
			runtime.LockOSThread()
			value := uint64(key)
			err := element(mapUpdate, fd, &key, &value)
			for i := 0; err == nil && i < 100; i++ {
				var found uint64
				if err = element(mapLookup, fd, &key, &found); err == nil && found != uint64(key) {
					err = fmt.Errorf("key %d has %d", key, found)
				}
			}
			done <- err
		}(100 + thread)
	}
	for thread := 0; thread < 8; thread++ {
		fmt.Println("thread:", <-done)
	}
	program, err := load()
	fmt.Println("program:", program > 2, err)
	result, err := run(program)
	fmt.Println("run:", result, err)
	var bad attribute
	_, err = bpf(mapCreate, &bad)
	fmt.Println("no map:", err)
}
