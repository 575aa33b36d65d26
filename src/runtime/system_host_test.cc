#include "runtime/system_host.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

namespace skep::runtime {
namespace {

TEST(SystemHost, ClocksGoOn) {
  SystemHost host;
  for (const auto clock :
       {exec::Clock::Monotonic, exec::Clock::Boot, exec::Clock::Coarse, exec::Clock::Tai, exec::Clock::Jiffies}) {
    const std::uint64_t first = host.now(clock);
    EXPECT_NE(first, 0U);
    EXPECT_GE(host.now(clock), first);
  }
}

TEST(SystemHost, KnowsItsProcess) {
  SystemHost host;
  EXPECT_EQ(host.pid_tgid() >> 32, static_cast<std::uint64_t>(::getpid()));
  EXPECT_EQ(host.uid_gid() & 0xffffffff, ::getuid());
  char name[16];
  host.comm(name);
  EXPECT_NE(name[0], '\0');
}

TEST(SystemHost, RandomNumbersDiffer) {
  SystemHost host;
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(host.random());
  EXPECT_GT(seen.size(), 990U);
}

TEST(SystemHost, TraceIsKeptUntilRead) {
  SystemHost host;
  host.trace("one\n");
  host.trace("two\n");
  EXPECT_EQ(host.read_trace().text, "one\ntwo\n");
  EXPECT_EQ(host.read_trace().text, "");
}

TEST(SystemHost, OldTraceIsLostAndCounted) {
  SystemHost host;
  const std::string line(1000, 'x');
  for (std::size_t i = 0; i < 2000; ++i) host.trace(line);
  const SystemHost::Trace trace = host.read_trace();
  EXPECT_LE(trace.text.size(), SystemHost::kTraceBytes);
  EXPECT_EQ(trace.text.size() / line.size() + trace.lost, 2000U);
}

TEST(SystemHost, SinksReplaceTheDefaults) {
  SystemHost host;
  EXPECT_EQ(host.clone_to(1, false, {}), -EINVAL);
  std::string said;
  host.set_trace_sink([&](std::string_view line) { said = line; });
  host.set_clone_sink([](std::uint32_t ifindex, bool, Bytes) { return static_cast<int>(ifindex); });
  host.trace("hello");
  EXPECT_EQ(said, "hello");
  EXPECT_EQ(host.clone_to(7, false, {}), 7);
  EXPECT_EQ(host.read_trace().text, "");
}

}  // namespace
}  // namespace skep::runtime
