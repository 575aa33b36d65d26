#include "kernel/trace_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/fd.h"

namespace skep::kernel {
namespace {

constexpr const char* kFolders[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
constexpr std::string_view kPrinted = "bpf_trace_printk: ";

// One line of a "trace" file: "  task-123   [001] ...11  4567.890123: function: text".
struct Event {
  long thread = 0;
  std::string_view what;  // behind the time
};

// "  task-123": 123.
std::optional<long> thread_of(std::string_view task) {
  const std::size_t dash = task.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  long thread = 0;
  const auto [end, error] = std::from_chars(task.data() + dash + 1, task.data() + task.size(), thread);
  return error == std::errc() && end == task.data() + task.size() ? std::optional(thread) : std::nullopt;
}

std::optional<Event> parse(std::string_view line) {
  if (line.starts_with('#')) return std::nullopt;
  // A task's name may have brackets, too: the CPU's are those behind a number.
  for (std::size_t cpu = line.find(" ["); cpu != std::string_view::npos; cpu = line.find(" [", cpu + 1)) {
    const std::optional<long> thread = thread_of(line.substr(0, line.find_last_not_of(' ', cpu) + 1));
    const std::size_t time = line.find(": ", cpu);
    if (thread && time != std::string_view::npos) return Event{*thread, line.substr(time + 2)};
  }
  return std::nullopt;
}

std::string unique_mark() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return fmt::format("skep {} {}.{:09}", ::gettid(), now.tv_sec, now.tv_nsec);
}

}  // namespace

Result<TraceLog> TraceLog::begin() {
  std::string refusal;
  for (const char* folder : kFolders) {
    const std::string path = fmt::format("{}/trace_marker", folder), mark = unique_mark();
    const Fd marker(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (marker && ::write(marker.get(), mark.data(), mark.size()) == static_cast<ssize_t>(mark.size()))
      return TraceLog(folder, mark);
    if (refusal.empty() || errno != ENOENT) refusal = fmt::format("{}: {}", path, std::strerror(errno));
  }
  return fail(ENOENT, refusal);
}

Result<TraceLog::Lines> TraceLog::lines() const {
  const std::string path = folder_ + "/trace";
  std::ifstream file(path, std::ios::binary);
  const std::string trace((std::istreambuf_iterator<char>(file)), {});
  if (!file && !file.eof()) return fail(EIO, fmt::format("{}: cannot be read", path));
  return select(trace, ::gettid(), mark_);
}

TraceLog::Lines TraceLog::select(std::string_view trace, long thread, std::string_view mark) {
  Lines lines;
  bool ours = false;  // the last event is one of ours: lines without a head belong to it
  while (!trace.empty()) {
    const std::size_t end = std::min(trace.find('\n'), trace.size());
    const std::string_view line = trace.substr(0, end);
    trace.remove_prefix(std::min(end + 1, trace.size()));
    if (const std::optional<Event> event = parse(line)) {
      ours = event->thread == thread && event->what.starts_with(kPrinted);
      if (ours) lines.text.emplace_back(event->what.substr(kPrinted.size()));
      if (event->thread == thread && event->what.ends_with(mark)) lines = {.text = {}, .whole = true};
    } else if (ours && !line.empty()) {
      lines.text.emplace_back(line);
    }
  }
  return lines;
}

}  // namespace skep::kernel
