#include "base/thread.h"

#include <gtest/gtest.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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

TEST(Thread, OwnerIsAtOnePlaceFromEachThreadsPointer) {
  const std::ptrdiff_t offset = owner_offset();
  const auto look = [&] {
    thread_id();
    const auto* const pointer = static_cast<const std::byte*>(__builtin_thread_pointer());
    EXPECT_EQ(load<std::uint32_t>(pointer + offset), this_owner());
  };
  EXPECT_NE(offset, 0);
  look();
  std::thread(look).join();
  std::thread([&] { EXPECT_EQ(owner_offset(), offset); }).join();
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

// A process with a given id: the next one that is made, where the kernel lets us say which.
pid_t fork_as(pid_t id) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&id);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

TEST(Thread, AnOwnerIsNotWhoHasItsIdLater) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t first = ::fork();
  if (first == 0) {
    const std::uint32_t self = this_owner();
    ::_exit(::write(ends[1], &self, sizeof self) == sizeof self ? 0 : 1);
  }
  std::uint32_t owner = 0;
  ASSERT_EQ(::read(ends[0], &owner, sizeof owner), ssize_t{sizeof owner});
  EXPECT_EQ(thread_of(owner), static_cast<std::uint32_t>(first));
  ASSERT_EQ(::waitpid(first, nullptr, 0), first);
  EXPECT_FALSE(owner_exists(owner));

  ::usleep(50000);  // a few clock ticks
  const pid_t second = fork_as(first);
  if (second == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  if (second < 0) GTEST_SKIP() << "no id can be asked for here";
  EXPECT_TRUE(thread_exists(static_cast<std::uint32_t>(second)));
  EXPECT_FALSE(owner_exists(owner)) << "its id is used again";
  EXPECT_TRUE(owner_exists(thread_of(owner))) << "of one that did not know when it began";
  ::close(ends[1]);
  int status = -1;
  ASSERT_EQ(::waitpid(second, &status, 0), second);
  EXPECT_EQ(status, 0);
  ::close(ends[0]);
}

TEST(Thread, OwnersOfThisProcess) {
  EXPECT_EQ(thread_of(this_owner()), thread_id());
  EXPECT_TRUE(owner_exists(this_owner()));
  std::uint32_t ended = 0;
  std::thread([&] {
    EXPECT_TRUE(owner_exists(this_owner()));
    ended = this_owner();
  }).join();
  EXPECT_FALSE(owner_exists(ended));
  EXPECT_FALSE(owner_exists(0));
  EXPECT_FALSE(owner_exists(1U << kThreadIdBits)) << "a tag alone";
}

TEST(Thread, ExistenceOfOddIds) {
  EXPECT_TRUE(thread_exists(thread_id()));
  EXPECT_FALSE(thread_exists(0));
  EXPECT_FALSE(thread_exists(0xffffffffU));
}

}  // namespace
}  // namespace skep
