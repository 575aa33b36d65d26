#include "base/thread.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/bytes.h"
#include "base/thread_status.h"

namespace skep {
namespace {

TEST(Thread, IdIsTheKernelsAndFollowsAFork) {
  EXPECT_EQ(thread_id(), static_cast<std::uint32_t>(::gettid()));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(thread_id() == static_cast<std::uint32_t>(::gettid()) ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(thread_exists(static_cast<std::uint32_t>(child)));
}

TEST(Thread, IdIsAtOnePlaceFromEachThreadsPointer) {
  const std::ptrdiff_t offset = thread_id_offset();
  const auto look = [&] {
    thread_id();
    const auto* const pointer = static_cast<const std::byte*>(__builtin_thread_pointer());
    EXPECT_EQ(load<std::uint32_t>(pointer + offset), static_cast<std::uint32_t>(::gettid()));
  };
  EXPECT_NE(offset, 0);
  look();
  std::thread(look).join();
  std::thread([&] { EXPECT_EQ(thread_id_offset(), offset); }).join();
}

TEST(Thread, Status) {
  std::uint32_t other = 0;
  ThreadStatus seen;
  std::thread([&] {
    ::prctl(PR_SET_NAME, "other thread");
    seen = thread_status(other = thread_id());
  }).join();
  EXPECT_NE(other, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(seen.process, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(seen.uid, ::getuid());
  EXPECT_EQ(seen.gid, ::getgid());
  EXPECT_STREQ(seen.name, "other thread");
  EXPECT_EQ(thread_status(0xfffffff0U).process, 0xfffffff0U) << "of a thread that is none";
}

TEST(Thread, StoppedOrNot) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  EXPECT_TRUE(thread_is_stopped(static_cast<std::uint32_t>(child)));
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_FALSE(thread_is_stopped(static_cast<std::uint32_t>(child)));
  EXPECT_FALSE(thread_is_stopped(thread_id()));
}

TEST(Thread, ExistenceOfOddIds) {
  EXPECT_TRUE(thread_exists(thread_id()));
  EXPECT_FALSE(thread_exists(0));
  EXPECT_FALSE(thread_exists(0xffffffffU));
}

}  // namespace
}  // namespace skep
