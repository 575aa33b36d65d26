#include "kernel/trace_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace skep::kernel {
namespace {

constexpr std::string_view kTrace =
    "# tracer: nop\n"
    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
    "            skep-77      [001] ...11     9.000000: bpf_trace_printk: of an older process\n"
    "            skep-77      [001] .....    10.000000: tracing_mark_write: skep 77 10.5\n"
    "            skep-77      [001] ...11    10.000001: bpf_trace_printk: one: two [3] -4\n"
    "   a name [0]-77x-78     [000] ...11    10.000002: bpf_trace_printk: of another\n"
    "and its second line\n"
    "            skep-77      [000] ...11    10.000003: bpf_trace_printk: first\n"
    "second\n"
    "\n"
    "            skep-77      [000] ...11    10.000004: sys_enter: NR 1\n"
    "more of that\n"
    "       <...>-77      [000] d..11    10.000005: bpf_trace_printk: \n";

TEST(TraceLog, SelectsThisThreadsLinesBehindTheMark) {
  const TraceLog::Lines lines = TraceLog::select(kTrace, 77, "skep 77 10.5");
  EXPECT_TRUE(lines.whole);
  EXPECT_EQ(lines.text, (std::vector<std::string>{"one: two [3] -4", "first", "second", ""}));
}

TEST(TraceLog, SaysWhenTheMarkIsGone) {
  const TraceLog::Lines lines = TraceLog::select(kTrace, 77, "skep 77 11");
  EXPECT_FALSE(lines.whole);
  EXPECT_EQ(lines.text.size(), 5U);
  EXPECT_TRUE(TraceLog::select("", 77, "x").text.empty());
  EXPECT_TRUE(TraceLog::select("[ - ]\n -[\n- [: \n-1 [: ", 1, "x").text.size() <= 1);
}

TEST(TraceLog, BeginsAndReadsWhereThereIsATracefs) {
  const Result<TraceLog> log = TraceLog::begin();
  if (!log) GTEST_SKIP() << log.error().message;
  const Result<TraceLog::Lines> lines = log->lines();
  ASSERT_TRUE(lines) << lines.error().message;
  EXPECT_TRUE(lines->text.empty());
}

}  // namespace
}  // namespace skep::kernel
