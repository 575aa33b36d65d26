// What the running kernel's bpf_trace_printk printed for this process.
//
// The kernel prints into one trace buffer for everybody. begin() leaves a mark in it; lines() are this process's lines
// behind the mark. The buffer is read without being emptied, so that other readers miss nothing. It is a ring: of a
// long run the oldest lines are overwritten, the mark first, which lines() says. Needs a mounted tracefs and the right
// to use it. Cost: the buffer, some megabytes at most by default, is read once. Source: kernel documentation,
// trace/ftrace. Tested by: kernel/trace_log_test.cc, tests/cli.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skep::kernel {

class TraceLog {
 public:
  // Errors name the file that is missing or refused.
  static Result<TraceLog> begin();

  struct Lines {
    std::vector<std::string> text;
    bool whole = false;  // the mark was still there: nothing of this process is missing
  };
  Result<Lines> lines() const;

  // Those of process thread `thread` in what a "trace" file holds, behind the last line that has `mark`.
  static Lines select(std::string_view trace, long thread, std::string_view mark);

 private:
  TraceLog(std::string folder, std::string mark) : folder_(std::move(folder)), mark_(std::move(mark)) {}
  std::string folder_, mark_;
};

}  // namespace skep::kernel
