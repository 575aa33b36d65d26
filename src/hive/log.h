// The log that PROG_LOAD and BTF_LOAD write for the caller.
//
// log_level, log_buf and log_size belong together (EINVAL if not). A text that does not fit leaves its end in the
// buffer, or its beginning with BPF_LOG_FIXED, and the command fails with ENOSPC; the true size is reported either way.
// Tested by: hive/prog_load_test.cc, hive/btf_load_test.cc.
#pragma once

#include <cstdint>
#include <string>

#include "hive/hive.h"

namespace skep::hive {

struct Log {
  std::uint32_t level = 0;
  std::uint64_t address = 0;
  std::uint32_t size = 0;  // bytes of the caller's buffer
  std::string text = {};
  std::size_t left_out = 0;  // bytes of the text that are not kept: before it, or with BPF_LOG_FIXED behind

  bool valid() const noexcept;
  bool wanted() const noexcept { return level != 0; }
  // A line, if the caller wants any.
  void add(const std::string& line);
  // What was written elsewhere: the part of it that matters, of `size` bytes.
  void add(std::string part, std::size_t size) noexcept;
  // Bytes the whole text takes, with its NUL; 0 when nothing was said.
  std::uint32_t true_size() const noexcept;
  // Hands the text over: 0, ENOSPC or EFAULT.
  int write(Caller& caller) const;
};

}  // namespace skep::hive
