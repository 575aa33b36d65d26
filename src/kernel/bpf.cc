#include "kernel/bpf.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>

#include "base/raw_syscall.h"

namespace skep::kernel {
namespace {

std::uint64_t address(const void* pointer) noexcept { return reinterpret_cast<std::uintptr_t>(pointer); }

// A zeroed attribute: all of the union, padding too, as the kernel looks at each byte.
bpf_attr zeroed() noexcept {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  return attr;
}

template <std::size_t N>
void copy_name(char (&to)[N], const std::string& from) noexcept {
  const std::size_t n = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), n);
}

// "r0 = 0; exit" as a socket filter: the smallest program every kernel with bpf(2) takes.
std::string probe() {
  const bpf_insn minimal[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                              {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const NewProgram program{.type = BPF_PROG_TYPE_XDP, .insns = std::as_bytes(std::span(minimal)), .name = "skep_probe"};
  Result<Fd> fd = load_program(program);
  if (fd) return {};
  switch (fd.error().code) {
    case ENOSYS: return "this kernel has no bpf(2) (ENOSYS)";
    case EPERM: return "this process may not load programs into the kernel (EPERM): it takes CAP_BPF and CAP_NET_ADMIN";
    default: return fmt::format("the kernel refuses a minimal program: {}", std::strerror(fd.error().code));
  }
}

}  // namespace

long bpf(int command, void* attr, unsigned size) noexcept {
  return raw_syscall(SYS_bpf, command, static_cast<long>(address(attr)), static_cast<long>(size));
}

const std::string& why_unavailable() {
  static const std::string reason = probe();
  return reason;
}

Result<MapInfo> map_info(int fd, BpfCall call) {
  bpf_map_info info;
  std::memset(&info, 0, sizeof info);
  bpf_attr attr = zeroed();
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = sizeof info;
  attr.info.info = address(&info);
  if (const long error = call(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr); error < 0) {
    return fail(static_cast<int>(-error),
                fmt::format("descriptor {}: expected a map: {}", fd, std::strerror(static_cast<int>(-error))));
  }
  return MapInfo{.type = info.type,
                 .id = info.id,
                 .key_size = info.key_size,
                 .value_size = info.value_size,
                 .max_entries = info.max_entries,
                 .flags = info.map_flags,
                 .name = std::string(info.name, strnlen(info.name, sizeof info.name))};
}

Result<Fd> create_map(const NewMap& map, BpfCall call) {
  bpf_attr attr = zeroed();
  attr.map_type = map.type;
  attr.key_size = map.key_size;
  attr.value_size = map.value_size;
  attr.max_entries = map.max_entries;
  attr.map_flags = map.flags;
  attr.inner_map_fd = static_cast<std::uint32_t>(map.inner_fd);
  copy_name(attr.map_name, map.name);
  const long fd = call(BPF_MAP_CREATE, &attr, sizeof attr);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  return fail(static_cast<int>(-fd), fmt::format("map {}: {}", map.name, std::strerror(static_cast<int>(-fd))));
}

int lookup(int map, const std::byte* key, std::byte* value, BpfCall call) noexcept {
  bpf_attr attr = zeroed();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(key);
  attr.value = address(value);
  return static_cast<int>(call(BPF_MAP_LOOKUP_ELEM, &attr, sizeof attr));
}

int update(int map, const std::byte* key, const std::byte* value, std::uint64_t flags, BpfCall call) noexcept {
  bpf_attr attr = zeroed();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(key);
  attr.value = address(value);
  attr.flags = flags;
  return static_cast<int>(call(BPF_MAP_UPDATE_ELEM, &attr, sizeof attr));
}

int next_key(int map, const std::byte* key, std::byte* next, BpfCall call) noexcept {
  bpf_attr attr = zeroed();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(key);
  attr.next_key = address(next);
  return static_cast<int>(call(BPF_MAP_GET_NEXT_KEY, &attr, sizeof attr));
}

Result<Fd> load_program(const NewProgram& program, BpfCall call) {
  bpf_attr attr = zeroed();
  attr.prog_type = program.type;
  attr.expected_attach_type = program.attach_type;
  attr.prog_flags = program.flags;
  attr.insns = address(program.insns.data());
  attr.insn_cnt = static_cast<std::uint32_t>(program.insns.size() / sizeof(bpf_insn));
  attr.license = address("GPL");
  copy_name(attr.prog_name, program.name);
  const long fd = call(BPF_PROG_LOAD, &attr, sizeof attr);
  if (fd >= 0) return Fd(static_cast<int>(fd));
  std::vector<char> log(1 << 20);  // a second time, now with the log
  attr.log_level = 1;
  attr.log_size = static_cast<std::uint32_t>(log.size());
  attr.log_buf = address(log.data());
  const long again = call(BPF_PROG_LOAD, &attr, sizeof attr);
  if (again >= 0) return Fd(static_cast<int>(again));
  return fail(static_cast<int>(-fd), std::string(log.data(), strnlen(log.data(), log.size())));
}

int test_run(int program, TestRun& run, BpfCall call) noexcept {
  bpf_attr attr = zeroed();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  attr.test.data_in = address(run.data.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(run.data.size());
  attr.test.data_out = address(run.data_out.data());
  attr.test.data_size_out = static_cast<std::uint32_t>(run.data_out.size());
  attr.test.ctx_in = run.context.empty() ? 0 : address(run.context.data());
  attr.test.ctx_size_in = static_cast<std::uint32_t>(run.context.size());
  attr.test.ctx_out = run.context_out.empty() ? 0 : address(run.context_out.data());
  attr.test.ctx_size_out = static_cast<std::uint32_t>(run.context_out.size());
  attr.test.repeat = run.repeat;
  const long result = call(BPF_PROG_TEST_RUN, &attr, sizeof attr);
  if (result < 0) return static_cast<int>(result);
  run.verdict = attr.test.retval;
  run.duration = attr.test.duration;
  run.data_out = run.data_out.first(std::min<std::size_t>(run.data_out.size(), attr.test.data_size_out));
  run.context_out = run.context_out.first(std::min<std::size_t>(run.context_out.size(), attr.test.ctx_size_out));
  return 0;
}

}  // namespace skep::kernel
