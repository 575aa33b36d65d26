// For tests: loads a program into the running kernel and says what the kernel said.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "btf/testing_kernel.h"
#include "isa/insn.h"
#include "spec/commands.h"
#include "spec/types.h"
#include "spec/uapi.h"

namespace skep::spec::testing {

struct Program {
  ProgType type = ProgType::Unspec;
  AttachType attach = AttachType::CgroupInetIngress;
  std::vector<isa::Insn> insns;
  std::uint32_t flags = 0;
  const char* license = "GPL";
};

struct Verdict {
  int error = 0;  // an errno, 0 when the program was accepted
  std::string log;
};

// The program's descriptor; the log, if wanted, is written to `log`, which has room for it, and the errno stays in
// `error`.
inline Fd load_fd(const Program& program, std::string* log = nullptr, int* error = nullptr) {
  Attr attr{};
  attr.prog_load.prog_type = static_cast<std::uint32_t>(program.type);
  attr.prog_load.insn_cnt = static_cast<std::uint32_t>(program.insns.size());
  attr.prog_load.insns = reinterpret_cast<std::uint64_t>(program.insns.data());
  attr.prog_load.license = reinterpret_cast<std::uint64_t>(program.license);
  if (log != nullptr) {
    attr.prog_load.log_level = kLogBranches;
    attr.prog_load.log_size = static_cast<std::uint32_t>(log->size());
    attr.prog_load.log_buf = reinterpret_cast<std::uint64_t>(log->data());
  }
  attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(program.attach);
  attr.prog_load.prog_flags = program.flags;
  const long fd = btf::testing::kernel_bpf(static_cast<std::uint32_t>(Command::ProgLoad), &attr, sizeof attr);
  if (error != nullptr) *error = fd < 0 ? static_cast<int>(-fd) : 0;
  return Fd(fd < 0 ? -1 : static_cast<int>(fd));
}

inline Verdict load_into_kernel(const Program& program) {
  Verdict verdict{.error = 0, .log = std::string(1U << 16, '\0')};
  const Fd closed = load_fd(program, &verdict.log, &verdict.error);
  verdict.log.resize(verdict.log.find('\0'));
  return verdict;
}

}  // namespace skep::spec::testing
