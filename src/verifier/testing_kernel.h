// For tests: loads a program into the running kernel and says what its verifier said.
#pragma once

#include <sys/utsname.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "btf/ext.h"
#include "btf/testing_kernel.h"
#include "isa/insn.h"
#include "spec/attr.h"
#include "spec/commands.h"
#include "spec/types.h"
#include "verifier/domain/rules.h"

namespace skep::verifier::testing {

struct Load {
  spec::ProgType type = spec::ProgType::SocketFilter;
  spec::AttachType attach = spec::AttachType::CgroupInetIngress;
  std::vector<isa::Insn> insns;
  std::uint32_t log_level = 2;
  std::uint32_t flags = 0;
  const char* license = "GPL";
  std::uint32_t attach_btf_id = 0;  // of the kernel's types
  int btf_fd = 0;
  btf::Records func_info = {};
  std::size_t log_bytes = std::size_t{1} << 20;
};

struct Said {
  int error = 0;  // an errno, 0 when the program was accepted
  std::string log;
};

inline Said ask_kernel(const Load& load) {
  std::string log(load.log_bytes, '\0');
  spec::Attr attr{};
  attr.prog_load.prog_type = static_cast<std::uint32_t>(load.type);
  attr.prog_load.insn_cnt = static_cast<std::uint32_t>(load.insns.size());
  attr.prog_load.insns = reinterpret_cast<std::uint64_t>(load.insns.data());
  attr.prog_load.license = reinterpret_cast<std::uint64_t>(load.license);
  attr.prog_load.log_level = load.log_level;
  if (load.log_level != 0) {
    attr.prog_load.log_size = static_cast<std::uint32_t>(log.size());
    attr.prog_load.log_buf = reinterpret_cast<std::uint64_t>(log.data());
  }
  attr.prog_load.prog_flags = load.flags;
  attr.prog_load.expected_attach_type = static_cast<std::uint32_t>(load.attach);
  attr.prog_load.attach_btf_id = load.attach_btf_id;
  attr.prog_load.prog_btf_fd = static_cast<std::uint32_t>(load.btf_fd);
  attr.prog_load.func_info = reinterpret_cast<std::uint64_t>(load.func_info.bytes.data());
  attr.prog_load.func_info_rec_size = load.func_info.record_bytes;
  attr.prog_load.func_info_cnt = load.func_info.count;
  const long fd = btf::testing::kernel_bpf(static_cast<std::uint32_t>(spec::Command::ProgLoad), &attr, sizeof attr);
  const Fd closed(fd < 0 ? -1 : static_cast<int>(fd));
  log.resize(log.find('\0'));
  return {fd < 0 ? static_cast<int>(-fd) : 0, std::move(log)};
}

inline Rules rules_of_running_kernel() {
  utsname name{};
  ::uname(&name);
  int major = 0, minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  return major > 6 || (major == 6 && minor >= 18) ? Rules::Linux618 : Rules::Linux612;
}

}  // namespace skep::verifier::testing
