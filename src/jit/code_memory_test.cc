#include "jit/code_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace skep::jit {
namespace {

constexpr std::size_t kSmall = std::size_t{1} << 20;

// mov eax, value; ret
void write_code(const CodeMemory::Block& block, std::uint32_t value) {
  std::byte* to = block.writable();
  to[0] = std::byte{0xb8};
  std::memcpy(to + 1, &value, sizeof value);
  to[5] = std::byte{0xc3};
}
std::uint32_t run(const CodeMemory::Block& block) {
  return reinterpret_cast<std::uint32_t (*)()>(reinterpret_cast<std::uintptr_t>(block.code()))();
}
CodeMemory::Block made(CodeMemory& memory, std::uint32_t value) {
  Result<CodeMemory::Block> block = memory.allocate(6);
  EXPECT_TRUE(block) << (block ? "" : block.error().message);
  write_code(*block, value);
  return *std::move(block);
}

TEST(CodeMemory, CodeRunsWhereItWasWritten) {
  CodeMemory memory(kSmall);
  const auto a = made(memory, 11), b = made(memory, 22);
  EXPECT_EQ(run(a), 11U);
  EXPECT_EQ(run(b), 22U);
  const auto range = memory.range();
  ASSERT_TRUE(range);
  const auto address = reinterpret_cast<std::uint64_t>(a.code());
  EXPECT_TRUE(range->first <= address && address < range->last);
  EXPECT_NE(a.code(), a.writable());
}

// The permissions of the mapping that `address` is in, as /proc/self/maps has them.
std::string permissions(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::size_t dash = 0;
    const std::uint64_t first = std::stoull(line, &dash, 16);
    const std::uint64_t last = std::stoull(line.substr(dash + 1), nullptr, 16);
    const auto at = reinterpret_cast<std::uint64_t>(address);
    if (first <= at && at < last) return line.substr(line.find(' ') + 1, 3);
  }
  return {};
}

TEST(CodeMemory, NothingIsWritableAndExecutable) {
  CodeMemory memory(kSmall);
  const auto block = made(memory, 1);
  EXPECT_EQ(permissions(block.code()), "r-x");
  EXPECT_EQ(permissions(block.writable()), "rw-");
}

TEST(CodeMemory, StandsInNoFileForPerf) {
  CodeMemory memory(kSmall);
  memory.stand_in_no_file();
  const auto a = made(memory, 11);
  EXPECT_EQ(run(a), 11U);
  EXPECT_EQ(permissions(a.code()), "r-x");
  EXPECT_EQ(permissions(a.writable()), "rw-");
}

TEST(CodeMemory, LiesNearTheLibrary) {
  const auto block = made(CodeMemory::of_process(), 1);
  const auto distance = reinterpret_cast<std::int64_t>(block.code()) - reinterpret_cast<std::int64_t>(&write_code);
  EXPECT_LT(std::abs(distance), std::int64_t{1} << 31);
}

TEST(CodeMemory, WhatIsGivenBackIsUsedAgain) {
  CodeMemory memory(kSmall);
  std::mt19937 random(1);
  std::vector<std::pair<CodeMemory::Block, std::uint32_t>> blocks;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    if (blocks.size() > 100) {
      const std::size_t victim = random() % blocks.size();
      EXPECT_EQ(run(blocks[victim].first), blocks[victim].second);
      std::swap(blocks[victim], blocks.back());
      blocks.pop_back();
    }
    Result<CodeMemory::Block> block = memory.allocate(6 + random() % 5000);
    ASSERT_TRUE(block) << i << ": " << block.error().message;
    write_code(*block, i);
    blocks.emplace_back(*std::move(block), i);
  }
  for (const auto& [block, value] : blocks) EXPECT_EQ(run(block), value);
  blocks.clear();
  EXPECT_EQ(memory.used(), 0U);
  EXPECT_TRUE(memory.allocate(kSmall - 64));  // nothing is left in pieces
}

TEST(CodeMemory, FreedCodeIsTraps) {
  CodeMemory memory(kSmall);
  const std::byte* code = nullptr;
  {
    const auto block = made(memory, 1);
    code = block.code();
  }
  EXPECT_EQ(*code, std::byte{0xcc});
}

TEST(CodeMemory, AFullArenaSaysSoAndTheRestGoesOn) {
  CodeMemory memory(kSmall);
  const auto kept = made(memory, 5);
  const auto rest = memory.allocate(kSmall);
  ASSERT_FALSE(rest);
  EXPECT_EQ(rest.error().code, ENOMEM);
  EXPECT_EQ(rest.error().message, "the 1 MiB for compiled code are used up: 1048576 bytes more do not fit");
  EXPECT_EQ(run(kept), 5U);
  EXPECT_TRUE(memory.allocate(kSmall / 2));
}

TEST(CodeMemory, WhereMemoryIsDeniedTheErrorSaysSo) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{0, 0};
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &none);
    CodeMemory memory(kSmall);
    const auto block = memory.allocate(6);
    const bool told = !block && block.error().message.starts_with("executable memory is not to be had here: ftruncate");
    ::_exit(told ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

// ---- Forks

template <class InChild>
bool in_child(pid_t child, InChild run_it) {
  if (child == 0) ::_exit(run_it() ? 0 : 1);
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

void fork_and_write() {
  CodeMemory& memory = CodeMemory::of_process();
  auto old = made(memory, 1);
  int to_child[2], to_parent[2];
  ASSERT_TRUE(::pipe(to_child) == 0 && ::pipe(to_parent) == 0);
  const pid_t child = ::fork();
  char byte = 0;
  if (child == 0) {
    write_code(old, 100);                  // over code that the parent has too
    const auto fresh = made(memory, 101);  // where the parent will allocate next
    bool good = ::write(to_parent[1], "x", 1) == 1 && ::read(to_child[0], &byte, 1) == 1;
    good = good && run(old) == 100 && run(fresh) == 101;
    ::_exit(good ? 0 : 1);
  }
  ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
  EXPECT_EQ(run(old), 1U);
  const auto fresh = made(memory, 2);
  EXPECT_EQ(run(fresh), 2U);
  old = CodeMemory::Block();  // traps here, not in the child
  ASSERT_EQ(::write(to_child[1], "x", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const int fd : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(fd);
}

TEST(Fork, NeitherSideSeesWhatTheOtherWrites) { fork_and_write(); }

// In a child, whose arena is new.
TEST(Fork, NorWhereTheArenaIsInNoFile) {
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  EXPECT_TRUE(in_child(child, [] {
    CodeMemory::of_process().stand_in_no_file();
    fork_and_write();
    return !::testing::Test::HasFailure();
  }));
}

TEST(Fork, AChildWithoutLibcTakesAnArenaOfItsOwn) {
  CodeMemory& memory = CodeMemory::of_process();
  const auto old = made(memory, 1);
  const auto inherited = memory.range();
  ASSERT_TRUE(inherited);
  const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  EXPECT_TRUE(in_child(child, [&] {
    const auto fresh = made(memory, 7);
    const auto range = memory.range();
    return run(old) == 1 && run(fresh) == 7 && range && range->first != inherited->first;
  }));
  EXPECT_EQ(run(old), 1U);
  EXPECT_EQ(run(made(memory, 3)), 3U);
}

TEST(Fork, WhileOtherThreadsAllocate) {
  CodeMemory& memory = CodeMemory::of_process();
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (std::uint32_t id = 0; id < 3; ++id)
    threads.emplace_back([&, id] {
      for (std::uint32_t i = 0; !done; ++i) {
        const auto block = made(memory, id * 1'000'000 + i);
        if (run(block) != id * 1'000'000 + i) ADD_FAILURE();
      }
    });
  for (int i = 0; i < 50; ++i) {
    const pid_t child = ::fork();
    EXPECT_TRUE(in_child(child, [&] { return run(made(memory, 9)) == 9 && run(made(memory, 10)) == 10; }));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace skep::jit
