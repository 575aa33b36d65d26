// The surroundings of runs as the machine has them: its clocks, randomness and processes, and somewhere for what
// programs say.
//
// Lines of bpf_trace_printk go to the sink when there is one, else into a bounded buffer that read_trace() empties:
// what trace_pipe is to the kernel. Perf event records and cloned packets go to their sinks; without one, nobody
// listens (-ENOENT) and there is no such interface (-EINVAL). Objects behind references belong to a hive: here there
// are none. Set sinks before programs run. Threads: any. Tested by: runtime/system_host_test.cc.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "exec/call.h"
#include "exec/executable.h"

namespace skep::runtime {

class SystemHost : public exec::Host {
 public:
  using TraceSink = std::function<void(std::string_view line)>;
  using PerfSink = std::function<int(maps::Map& map, std::uint64_t index, Bytes record)>;
  using CloneSink = std::function<int(std::uint32_t ifindex, bool ingress, Bytes packet)>;
  static constexpr std::size_t kTraceBytes = 1U << 20;  // of the buffer; older lines are lost first

  void set_trace_sink(TraceSink sink) { trace_sink_ = std::move(sink); }
  void set_perf_sink(PerfSink sink) { perf_sink_ = std::move(sink); }
  void set_clone_sink(CloneSink sink) { clone_sink_ = std::move(sink); }

  // Lines traced since the last call, each ending in a newline as its program wrote it or not at all; and how many
  // older ones were lost.
  struct Trace {
    std::string text;
    std::uint64_t lost = 0;
  };
  Trace read_trace();

  std::uint64_t now(exec::Clock clock) noexcept override;
  // What now() asks: the C library's, which reads the clock without a system call where that can be.
  static exec::ClockReader clock_reader() noexcept;
  std::uint32_t random() noexcept override { return generator()->draw(); }
  exec::Generator* generator() noexcept override;
  std::uint64_t pid_tgid() noexcept override;
  std::uint64_t uid_gid() noexcept override;
  void comm(char (&name)[16]) noexcept override;
  void trace(std::string_view line) noexcept override;
  int perf_event(maps::Map& map, std::uint64_t index, Bytes record) noexcept override;
  int clone_to(std::uint32_t ifindex, bool ingress, Bytes packet) noexcept override;
  const exec::Executable* program(maps::Reference reference) noexcept override;
  maps::Map* map(maps::Reference reference) noexcept override;

 private:
  TraceSink trace_sink_;
  PerfSink perf_sink_;
  CloneSink clone_sink_;
  std::mutex mutex_;
  std::deque<std::string> lines_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace skep::runtime
