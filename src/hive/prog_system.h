// The system calls that a program of type syscall makes while a caller runs it (BPF_PROG_TEST_RUN): for that caller,
// with his rights and among his descriptors, but with attributes in the program's memory.
#pragma once

#include "exec/call.h"
#include "hive/request.h"

namespace skep::hive {

class ProgSystem final : public exec::SystemCalls {
 public:
  explicit ProgSystem(Request& request) noexcept : request_(request) {}
  long bpf(std::uint32_t command, Bytes attr) noexcept override;
  long close(std::uint32_t fd) noexcept override { return request_.caller.close(static_cast<int>(fd)); }
  long find_type(std::string_view name, std::uint32_t kind) noexcept override;
  bool read(std::uint64_t address, MutableBytes to) noexcept override { return request_.caller.copy_in(address, to); }

 private:
  Request& request_;
};

}  // namespace skep::hive
