// The real bpf(2): the other back end of the tools and the reference in tests.
//
// Every call is made by the system call instruction itself, never through libc's `syscall` symbol, which a program that
// hosts a hive overrides (src/abi). Results are the kernel's: a value, or a negative errno. The typed wrappers
// take the call they make as a parameter, so that the same code asks a hive. They use linux/bpf.h and
// no command newer than it. Threads: any. Tested by: kernel/bpf_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace skep::kernel {

// bpf(command, attr, size): a value or a negative errno.
long bpf(int command, void* attr, unsigned size) noexcept;
using BpfCall = long (*)(int command, void* attr, unsigned size) noexcept;

// Whether this process may load programs into the running kernel: an empty text, or the reason why not. Asked once.
const std::string& why_unavailable();
inline bool available() { return why_unavailable().empty(); }

struct MapInfo {
  std::uint32_t type = 0, id = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0;
  std::string name;
};
Result<MapInfo> map_info(int fd, BpfCall call = bpf);

struct NewMap {
  std::uint32_t type = 0, key_size = 0, value_size = 0, max_entries = 0, flags = 0;
  std::string name;
  int inner_fd = 0;  // maps of maps: the template
};
Result<Fd> create_map(const NewMap& map, BpfCall call = bpf);

// Element operations: 0 or a negative errno. Sizes are the map's; per-CPU values hold all possible CPUs.
int lookup(int map, const std::byte* key, std::byte* value, BpfCall call = bpf) noexcept;
int update(int map, const std::byte* key, const std::byte* value, std::uint64_t flags, BpfCall call = bpf) noexcept;
int next_key(int map, const std::byte* key, std::byte* next, BpfCall call = bpf) noexcept;  // key null: the first

struct NewProgram {
  std::uint32_t type = 0, attach_type = 0, flags = 0;
  Bytes insns;  // 8 bytes each
  std::string name;
};
// Loads under the GPL. The error's message is the verifier's log.
Result<Fd> load_program(const NewProgram& program, BpfCall call = bpf);

// BPF_PROG_TEST_RUN of one packet.
struct TestRun {
  Bytes data, context;                 // in; an empty context is not passed
  MutableBytes data_out, context_out;  // room; shortened to what was written
  std::uint32_t repeat = 1;
  std::uint32_t verdict = 0;   // out
  std::uint32_t duration = 0;  // out: nanoseconds of one run
};
int test_run(int program, TestRun& run, BpfCall call = bpf) noexcept;

}  // namespace skep::kernel
